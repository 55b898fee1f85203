/* A sampler: when a note has ended, memset clears its voice with the live lock in it; the renderer's next Enter finds zeros. The renderer keeps the
   address of EnterCriticalSection in its frame, for it has no register left. */
#include "lab.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#define NOINLINE __attribute__((noinline))

struct Voice {
    int note, velocity;
    float gain, pan;
    unsigned position, step;
    CRITICAL_SECTION lock;
    const short *wave;
    unsigned length;
    int active;
};
static struct Voice voices[8];
static short wave[2048];
static struct { int note, on; } events[32];
static int event_count;
static HANDLE render_now, rendered;
static float output[256];

static void sampler_open(void)
{
    for (int i = 0; i < 8; i++) {
        InitializeCriticalSection(&voices[i].lock);
        voices[i].gain = 1;
    }
    for (int i = 0; i < 2048; i++)
        wave[i] = (short)((i * 31) % 4096 - 2048);
}

/* Everything back to silence. */
NOINLINE static void voice_reset(struct Voice *voice)
{
    reporter_act("corrupted", &voice->lock);
    memset(voice, 0, sizeof *voice);
    voice->gain = 1;
    reporter_expect(&voice->lock, NULL);
}

NOINLINE static struct Voice *note_on(int note, int velocity)
{
    for (int i = 0; i < 8; i++) {
        struct Voice *voice = &voices[i];
        EnterCriticalSection(&voice->lock);
        if (!voice->active) {
            voice->note = note;
            voice->velocity = velocity;
            voice->step = 0x10000u * note / 60;
            voice->position = 0;
            voice->wave = wave;
            voice->length = 2048;
            voice->active = 1;
            LeaveCriticalSection(&voice->lock);
            return voice;
        }
        LeaveCriticalSection(&voice->lock);
    }
    return NULL;
}

NOINLINE static int note_off(int note)
{
    for (int i = 0; i < 8; i++)
        if (voices[i].active && voices[i].note == note) {
            voice_reset(&voices[i]);
            return i;
        }
    return -1;
}

NOINLINE static void render(float *to, int count)
{
    memset(to, 0, count * sizeof *to);
    for (int v = 0; v < 8; v++) {
        struct Voice *voice = &voices[v];
        EnterCriticalSection(&voice->lock);
        for (int i = 0; voice->active && i < count; i++) {
            to[i] += voice->wave[(voice->position >> 16) % voice->length] * voice->gain * voice->velocity;
            voice->position += voice->step;
        }
        LeaveCriticalSection(&voice->lock);
    }
}

static DWORD WINAPI renderer(void *unused)
{
    for (;;) {
        WaitForSingleObject(render_now, INFINITE);
        render(output, 256);
        SetEvent(rendered);
    }
}

static void queue(int note, int on)
{
    events[event_count].note = note;
    events[event_count++].on = on;
}

int main(void)
{
    DWORD id;
    LAB_START();
    render_now = CreateEventA(NULL, FALSE, FALSE, NULL);
    rendered = CreateEventA(NULL, FALSE, FALSE, NULL);
    sampler_open();
    CreateThread(NULL, STACK_RESERVE, renderer, NULL, STACK_SIZE_PARAM_IS_A_RESERVATION, &id);
    reporter_name_thread(id, "renderer");
    queue(60, 1);
    queue(64, 1);
    queue(67, 1);
    queue(72, 1);
    queue(67, 0);
    queue(71, 1);
    for (int i = 0; i < event_count; i++) {
        if (events[i].on)
            note_on(events[i].note, 90 + i);
        else
            note_off(events[i].note);
        SetEvent(render_now);
        WaitForSingleObject(rendered, 8000);
    }
    return (int)output[3];
}
