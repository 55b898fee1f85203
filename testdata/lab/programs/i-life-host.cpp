// A host of filters: built-in modules are ended in the order in which they were started, by the functions of a table; the log is the first of them,
// and the limiter's end logs.
#include "lab.h"
#include <string.h>

#define NOINLINE __attribute__((noinline))


struct Sample { short left, right; };
struct Meter { const char *name; CRITICAL_SECTION *lock; const LONG *value; };

// ---- the log ---------------------------------------------------------------------------------------------------------------------
static struct Log {
    int level, lines, next;
    CRITICAL_SECTION guard;
    char text[16][48];
} the_log;

static void log_start(void)
{
    the_log.level = 2;
    InitializeCriticalSection(&the_log.guard);
}
NOINLINE static void log_line(int level, const char *module, const char *text, int value)
{
    if (level > the_log.level)
        return;
    EnterCriticalSection(&the_log.guard);
    char *line = the_log.text[the_log.next];
    wsprintfA(line, "%s: %s %d", module, text, value);
    the_log.next = (the_log.next + 1) % 16;
    the_log.lines++;
    LeaveCriticalSection(&the_log.guard);
}
static void log_end(void)
{
    reporter_act("deleted", &the_log.guard);
    reporter_expect(&the_log.guard, NULL);
    DeleteCriticalSection(&the_log.guard);
}

// ---- a mixer and a limiter -----------------------------------------------------------------------------------------------------------
static struct { int gain, blocks; LONG peak; } mixer;
static struct { int threshold, hits; } limiter;

static void mixer_start(void) { mixer.gain = 180; log_line(1, "mixer", "gain", mixer.gain); }
static void mix(Sample *to, const Sample *from, int count)
{
    for (int i = 0; i < count; i++) {
        int left = to[i].left + from[i].left * mixer.gain / 256;
        to[i].left = static_cast<short>(left);
        to[i].right = static_cast<short>(to[i].right + from[i].right * mixer.gain / 256);
        if (left > mixer.peak)
            mixer.peak = left;
    }
    if (++mixer.blocks % 4 == 0)
        log_line(2, "mixer", "peak", mixer.peak);
}
static void mixer_end(void) { log_line(2, "mixer", "blocks", mixer.blocks); mixer.gain = 0; }
static void limiter_start(void) { limiter.threshold = 9000; log_line(1, "limiter", "threshold", limiter.threshold); }
static void limit(Sample *samples, int count)
{
    for (int i = 0; i < count; i++)
        if (samples[i].left > limiter.threshold) {
            samples[i].left = static_cast<short>(limiter.threshold);
            limiter.hits++;
        }
}
static void limiter_end(void)
{
    if (limiter.hits)
        log_line(1, "limiter", "samples cut", limiter.hits);
    limiter.threshold = 0;
}

struct Module { const char *name; void (*start)(void); void (*end)(void); bool running; };
static Module modules[] = { { "log", log_start, log_end, false }, { "limiter", limiter_start, limiter_end, false }, { "mixer", mixer_start, mixer_end, false } };

static void start_all()
{
    for (auto &module : modules) {
        module.start();
        module.running = true;
    }
}
static void end_all()
{
    for (auto &module : modules)
        if (module.running) {
            module.end();
            module.running = false;
        }
}

// ---- meters: who shows them locks as their owner does ------------------------------------------------------------------------------------
static Meter meters[8];
static int meter_count;
static void add_meter(const char *name, CRITICAL_SECTION *lock, const LONG *value)
{
    meters[meter_count++] = { name, lock, value };
}
NOINLINE static LONG read_meters(LONG *out)
{
    LONG sum = 0;
    for (int i = 0; i < meter_count; i++) {
        if (meters[i].lock)
            EnterCriticalSection(meters[i].lock);
        out[i] = *meters[i].value;
        if (meters[i].lock)
            LeaveCriticalSection(meters[i].lock);
        sum += out[i];
    }
    return sum;
}


int main()
{
    static Sample bus[64], voice[64];
    LONG shown[8];
    LAB_START();
    start_all();
    add_meter("peak", NULL, &mixer.peak);
    for (int block = 0; block < 10; block++) {
        for (int i = 0; i < 64; i++)
            voice[i] = { static_cast<short>(i * 90 - 2000 + block), static_cast<short>(700 - i * 11) };
        mix(bus, voice, 64);
        limit(bus, 64);
        read_meters(shown);
    }
    end_all();
    return 0;
}
