/* Ninth batch, in C: an audio player's worker parts. ECHO: the delay line is read and written 'delay' samples behind the position, and the
 * position starts anew with every block. LEVELS: a histogram of the levels, for which one level too many comes out of the scaling. */
#include "lab.h"
#include <stdlib.h>
#include <string.h>

#define NOINLINE __attribute__((noinline, unused))
static volatile int sink;

#if defined(ECHO)
#define BLOCK 256
struct voice {
    char name[12];
    int rate, channels, delay, position;
    float gain;
    CRITICAL_SECTION lock;
    float line[BLOCK];
    struct voice *next;
    HANDLE ready;
};
static struct voice *voices;

static NOINLINE struct voice *add_voice(const char *name, int delay, float gain)
{
    struct voice *v = HeapAlloc(GetProcessHeap(), HEAP_ZERO_MEMORY, sizeof *v);
    strncpy(v->name, name, sizeof v->name - 1);
    v->rate = 44100;
    v->channels = 1;
    v->delay = delay;
    v->gain = gain;
    InitializeCriticalSection(&v->lock);
    v->ready = CreateEventA(NULL, FALSE, FALSE, NULL);
    v->next = voices;
    voices = v;
    return v;
}
static NOINLINE void generate(float *to, int count, int seed)
{
    for (int i = 0; i < count; i++) {
        seed = seed * 1103515245 + 12345;
        to[i] = (float)((seed >> 16) & 0x7FFF) / 32768.0f + 0.125f;
    }
}
/* Mixes a block into the line; every sample comes back once more, 'delay' samples before it in the line. */
static NOINLINE void mix(struct voice *v, const float *block, int count, int from)
{
    v->position = from;
    for (int i = 0; i < count; i++) {
        int at = v->position + i;
        v->line[at] = block[i];
        if (v->delay)
            v->line[at - v->delay] = block[i] * v->gain + 0.5f;
    }
}
static NOINLINE float peak(struct voice *v)
{
    float out = 0;
    EnterCriticalSection(&v->lock);
    for (int i = 0; i < BLOCK; i++)
        if (v->line[i] > out)
            out = v->line[i];
    LeaveCriticalSection(&v->lock);
    return out;
}
static DWORD WINAPI meter(void *argument) { sink = (int)(100 * peak(argument)); return 0; }

static NOINLINE void play(struct voice *v, int from, struct Waiters *meters)
{
    float block[32];
    generate(block, 32, 7 + from);
    EnterCriticalSection(&v->lock);
    if (meters)
        start_waiters(meters);
    mix(v, block, 32, from);
    reporter_expect(&v->lock, v->lock.LockSemaphore);
    LeaveCriticalSection(&v->lock);
    SetEvent(v->ready);
}
static DWORD WINAPI player(void *argument)
{
    struct voice *organ = argument;
    struct Waiters meters;
    make_waiters(&meters, 2, meter, organ);
    play(organ, 32, NULL);
    play(organ, 64, NULL);
    reporter_act("corrupted", &organ->lock);
    play(organ, 0, &meters);
    return 0;
}
static int scenario(void)
{
    struct Waiters one;
    struct voice *organ;
    add_voice("drums", 0, 1.0f);
    organ = add_voice("organ", 3, 0.6f);
    add_voice("strings", 0, 0.8f);
    make_waiters(&one, 1, player, organ);
    ResumeThread(one.threads[0]);
    WaitForSingleObject(one.threads[0], INFINITE);
    return sink;
}
#else
struct image { int width, height; unsigned char *pixels; };
struct statistics {
    int images, brightest;
    unsigned levels[100]; /* in percent */
    CRITICAL_SECTION lock;
    double mean;
};

static NOINLINE void start_statistics(struct statistics *s)
{
    memset(s, 0, sizeof *s);
    InitializeCriticalSection(&s->lock);
}
static NOINLINE struct image *load(int width, int height, int seed)
{
    struct image *image = malloc(sizeof *image);
    image->width = width;
    image->height = height;
    image->pixels = malloc((size_t)width * height);
    for (int y = 0; y < height; y++)
        for (int x = 0; x < width; x++) {
            int value = (x * 5 + y * 3 + seed) % 300;
            image->pixels[y * width + x] = (unsigned char)(value > 255 ? 255 : value);
        }
    return image;
}
static NOINLINE void count(struct statistics *s, const struct image *image, unsigned *levels)
{
    for (int i = 0; i < image->width * image->height; i++) {
        int level = image->pixels[i] * 100 / 255;
        levels[level]++;
        if (level > s->brightest)
            s->brightest = level;
    }
}
static NOINLINE void add_image(struct statistics *s, const struct image *image)
{
    EnterCriticalSection(&s->lock);
    s->images++;
    reporter_act("corrupted", &s->lock);
    count(s, image, s->levels);
    LeaveCriticalSection(&s->lock);
}
static NOINLINE double finish(struct statistics *s)
{
    double sum = 0, n = 0;
    for (int i = 0; i < 100; i++) {
        sum += (double)i * s->levels[i];
        n += s->levels[i];
    }
    s->mean = n ? sum / n : 0;
    DeleteCriticalSection(&s->lock);
    return s->mean;
}
static int scenario(void)
{
    struct statistics statistics[2]; /* of the covers, of the booklets */
    start_statistics(&statistics[0]);
    start_statistics(&statistics[1]);
    reporter_expect(&statistics[0].lock, NULL);
    for (int i = 0; i < 3; i++) {
        struct image *image = load(120 + 16 * i, 90, 11 * i);
        add_image(&statistics[0], image);
        free(image->pixels);
        free(image);
    }
    return (int)finish(&statistics[0]) + (int)finish(&statistics[1]);
}
#endif

int main(void)
{
    LAB_START();
    return scenario();
}
