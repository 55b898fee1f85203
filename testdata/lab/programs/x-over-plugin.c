/* A newer library: its structure has grown at the end. */
#include <windows.h>
#include <string.h>

struct status {
    DWORD size;
    int code;
    char text[32];
    FILETIME since;
    int errors, retries;
    const char *source;
};

__declspec(dllexport) void query_status(struct status *status)
{
    status->size = sizeof *status;
    status->code = 4;
    strcpy(status->text, "running");
    GetSystemTimeAsFileTime(&status->since);
    status->errors = 0;
    status->retries = 2;
    status->source = "spooler";
}
