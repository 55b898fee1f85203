/* A flow meter counts packets of an interface by their class of service (the upper six bits of the second byte of an IPv4 header). */
#include "lab.h"
#include <string.h>

#define CLASSES 32 /* best effort, and the assured forwarding classes 1 to 3 */

struct flow { ULONG from, to; ULONG packets; struct flow *next; };
struct meter {
    char name[16];
    ULONG packets, malformed;
    ULONG by_class[CLASSES];
    CRITICAL_SECTION lock;
    ULONGLONG bytes;
    struct flow *flows;
    ULONG flow_count;
};
static struct meter *meters[3];
static HANDLE done;

/* type of service, source's and destination's last byte, length: a trace of a conference that begins */
static const struct { BYTE tos, from, to; USHORT length; } trace[] = {
    { 0x00, 10, 1, 84 }, { 0x00, 10, 1, 1500 }, { 0x28, 12, 1, 576 }, { 0x68, 14, 2, 1240 }, { 0x68, 14, 2, 1240 }, { 0x00, 1, 10, 52 },
    { 0x28, 12, 1, 576 }, { 0x68, 2, 14, 96 }, { 0x88, 21, 2, 1316 }, { 0x88, 21, 2, 1316 }, { 0x00, 10, 1, 60 },
};

static ULONG big_endian(const BYTE *p) { return (ULONG)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static int build(BYTE *packet, unsigned i)
{
    memset(packet, 0, 20);
    packet[0] = 0x45;
    packet[1] = trace[i].tos;
    packet[2] = trace[i].length >> 8;
    packet[3] = (BYTE)trace[i].length;
    packet[8] = 64;
    packet[9] = 17;
    packet[12] = packet[16] = 192;
    packet[13] = packet[17] = 168;
    packet[15] = trace[i].from;
    packet[19] = trace[i].to;
    return 20;
}
static struct flow *flow_of(struct meter *m, ULONG from, ULONG to)
{
    struct flow *f;
    for (f = m->flows; f; f = f->next)
        if (f->from == from && f->to == to)
            return f;
    f = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *f);
    f->from = from;
    f->to = to;
    f->next = m->flows;
    m->flows = f;
    m->flow_count++;
    return f;
}
static __attribute__((noinline)) void account(struct meter *m, const BYTE *header, ULONG length)
{
    unsigned class = header[1] >> 2;
    struct flow *flow;
    EnterCriticalSection(&m->lock);
    flow = flow_of(m, big_endian(header + 12), big_endian(header + 16));
    flow->packets++;
    m->packets++;
    m->bytes += length;
    reporter_act("corrupted", &m->lock);
    m->by_class[class]++;
    reporter_expect(&m->lock, NULL);
    LeaveCriticalSection(&m->lock);
}
static __attribute__((noinline)) int receive(struct meter *m, const BYTE *packet, int size)
{
    ULONG length;
    if (size < 20 || packet[0] >> 4 != 4 || (packet[0] & 15) < 5) {
        m->malformed++;
        return 0;
    }
    length = packet[2] << 8 | packet[3];
    if (length < 20)
        return 0;
    account(m, packet, length);
    return 1;
}
static DWORD WINAPI capture(void *argument)
{
    struct meter *m = argument;
    BYTE packet[64];
    unsigned i;
    int n = 0;
    for (i = 0; i < sizeof trace / sizeof *trace; i++) {
        n += receive(m, packet, build(packet, i));
        Sleep(5);
    }
    SetEvent(done);
    return n;
}

int main(void)
{
    struct Waiters threads;
    int i;
    LAB_START();
    done = CreateEventA(NULL, TRUE, FALSE, NULL);
    for (i = 0; i < 3; i++) {
        meters[i] = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *meters[i]);
        wsprintfA(meters[i]->name, "eth%d", i);
        InitializeCriticalSection(&meters[i]->lock);
    }
    make_waiters(&threads, 1, capture, meters[1]);
    start_waiters(&threads);
    WaitForSingleObject(done, 5000);
    return (int)meters[1]->packets;
}
