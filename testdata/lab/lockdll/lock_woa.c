/* Windows 10: the same lock_count, but waiters sleep on the address of lock_count and no event is made. */
#define WAIT_ON_ADDRESS
#include "lock_new.c"
