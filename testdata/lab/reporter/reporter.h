/* The crash reporter every lab program carries, as real agents do. What the program tells it (expect, ...) is the
 * label of the dump; it is kept on a page that never goes into a dump. */
#ifndef REPORTER_H
#define REPORTER_H
#include <windows.h>

#define REPORT_FIRST_CHANCE 0 /* vectored handler: the exception as it was raised */
#define REPORT_UNHANDLED 1    /* SetUnhandledExceptionFilter: what is left after all other handlers */

#ifdef BUILD_REPORTER
#define REPORTER_API __declspec(dllexport)
#else
#define REPORTER_API __declspec(dllimport)
#endif

#ifdef __cplusplus
extern "C" {
#endif
REPORTER_API void reporter_start(int mode);
REPORTER_API void reporter_expect(const volatile void *section, HANDLE handle);
REPORTER_API void reporter_main_returns_to(void *address);
REPORTER_API void reporter_name_handle(HANDLE handle, const char *name);
REPORTER_API void reporter_name_thread(DWORD thread_id, const char *name);
/* To be called just before the act that is the cause: keeps what the section looked like, for verify.py. */
REPORTER_API void reporter_act(const char *cause, const volatile void *section);
#ifdef __cplusplus
}
#endif
#endif
