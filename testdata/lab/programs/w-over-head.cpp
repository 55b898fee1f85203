// Sixth batch, faults: DebugInfo is written over by one value of an object that is no longer there, or through a wrong pointer. Macros choose the value.
#include "w-over.h"

#ifndef HOST
#define HOST 28
#endif
struct Sender { DWORD id; char host[HOST]; CRITICAL_SECTION lock; void *queue; int length; };
enum { HEAD = offsetof(Sender, lock) };

#if defined(FILE_HANDLE)
struct Old { char path[HEAD]; HANDLE file; };
NOINLINE static void strike(Old *volatile log) { log->file = CreateFileA("sender.log", GENERIC_WRITE, FILE_SHARE_READ, NULL, CREATE_ALWAYS, 0, NULL); }
#elif defined(INVALID)
// The result of a call that failed: -EINVAL.
struct Old { char name[HEAD]; int error; };
NOINLINE static void strike(Old *volatile call) { call->error = -22; }
#elif defined(UPPER_HALF)
struct Old { char name[HEAD + 4]; int selected; };
NOINLINE static void strike(Old *volatile list) { list->selected = 41; }
#elif defined(NODE)
struct Node { int id, kind; void *owner; char name[24]; };
struct Old { char name[HEAD]; Node *first; };
NOINLINE static void strike(Old *volatile list)
{
    Node *node = static_cast<Node *>(block(sizeof(Node)));
    node->id = 88;
    node->owner = list;
    lstrcpyA(node->name, "SPOOLER\\HP LaserJet P2055");
    list->first = node;
}
#elif defined(REFERENCES)
struct Old { char name[HEAD]; LONG references; };
NOINLINE static void strike(Old *volatile object) { InterlockedIncrement(&object->references); }
#elif defined(NO_CURRENT)
struct Old { char name[HEAD]; void *current; };
NOINLINE static void strike(Old *volatile cursor) { *const_cast<void *volatile *>(&cursor->current) = NULL; }
#elif defined(HOOK)
// A function's address.
struct Old { char name[HEAD]; int (*hook)(int); };
NOINLINE static int refresh(int what) { return sink += what; }
NOINLINE static void strike(Old *volatile window) { window->hook = refresh; }
#elif defined(NETWORK_ORDER)
// The length of a message is put into host order once more, after the buffer has been given back.
struct Old { char from[HEAD]; ULONG length; };
NOINLINE static void strike(Old *volatile message) { *const_cast<volatile ULONG *>(&message->length) = __builtin_bswap32(message->length); }
#elif defined(BYTES_SENT)
// Eight bytes across the middle of DebugInfo and the field before it: 5 GB, another packing.
#pragma pack(push, 4)
struct Old { char from[HEAD - 4]; LONGLONG sent; };
#pragma pack(pop)
NOINLINE static void strike(Old *volatile transfer) { transfer->sent = 5368709120ll; }
#elif defined(REAL)
struct Old { char name[HEAD]; double level; };
NOINLINE static void strike(Old *volatile gauge) { gauge->level = -273.15; }
#endif

#if defined(IN_DLL) || defined(IN_STATIC_ARRAY) || defined(IN_TLS) || defined(IN_MAPPED)
// (nobody's former block: the pointer is simply wrong)
static int scenario()
{
    CRITICAL_SECTION *lock = place();
    make(lock);
    strike(reinterpret_cast<Old *>(reinterpret_cast<char *>(lock) - HEAD));
    return meet(lock);
}
#else
static int scenario()
{
    Old *old = static_cast<Old *>(block(sizeof(Sender)));
    Sender *sender = static_cast<Sender *>(next_owner(old, sizeof(Sender)));
    sender->id = 12;
    sender->length = 3;
    lstrcpyA(sender->host, "relay2.contoso.com");
    make(&sender->lock);
    strike(old);
    return meet(&sender->lock);
}
#endif

int main()
{
    LAB_START();
    crowd();
    return scenario();
}
