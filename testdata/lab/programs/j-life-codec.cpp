// A viewer loads copies of its decoders, so that their files can be replaced. A thumbnail keeps the lock of the one it was begun with.
#include "unseen.h"

typedef int (*open_function)(int progressive, const unsigned char *lengths, int count);
typedef CRITICAL_SECTION *(*lock_function)(void);
typedef int (*decode_function)(const unsigned char *data, int size);
typedef void (*close_function)(void);

struct Decoder {
    HMODULE module;
    open_function open;
    lock_function lock;
    decode_function decode;
    close_function close;
    char file[32];
};
struct Thumbnail {
    Decoder *decoder;
    CRITICAL_SECTION *lock; // looked up once, not for each row
    int rows, sum;
    char title[24];
};
static Decoder decoder;
static int generation;

template <class F> static F function(HMODULE module, const char *name) { return reinterpret_cast<F>(reinterpret_cast<void *>(GetProcAddress(module, name))); }

NOINLINE static bool load(Decoder *into, const char *file)
{
    wsprintfA(into->file, "decoder-%d.dll", ++generation);
    if (!CopyFileA(file, into->file, FALSE))
        return false;
    into->module = LoadLibraryA(into->file);
    into->open = function<open_function>(into->module, "decoder_open");
    into->lock = function<lock_function>(into->module, "decoder_lock");
    into->decode = function<decode_function>(into->module, "decoder_decode");
    into->close = function<close_function>(into->module, "decoder_close");
    return into->module != NULL;
}
NOINLINE static void unload(Decoder *from)
{
    if (from->lock())
        act("memory-released", from->lock());
    from->close();
    FreeLibrary(from->module);
    ZeroMemory(from, sizeof *from);
}
NOINLINE static void draw_rows(Thumbnail *thumbnail, const unsigned char *data, int count)
{
    if (thumbnail->lock) {
        expect(thumbnail->lock);
        EnterCriticalSection(thumbnail->lock);
    }
    for (int i = 0; i < count; i++) {
        thumbnail->sum += thumbnail->decoder->decode(data + 16 * i, 16);
        thumbnail->rows++;
    }
    if (thumbnail->lock)
        LeaveCriticalSection(thumbnail->lock);
}
static void begin(Thumbnail *thumbnail, const char *title)
{
    thumbnail->decoder = &decoder;
    thumbnail->lock = decoder.lock();
    thumbnail->rows = thumbnail->sum = 0;
    lstrcpynA(thumbnail->title, title, sizeof thumbnail->title);
}

int main()
{
    static const unsigned char lengths[24] = { 3, 5, 8, 8, 9, 10, 11, 12, 12, 13, 14, 14, 15, 16, 16, 17, 18, 18, 19, 20, 21, 22, 22, 9 };
    static unsigned char data[512];
    static Thumbnail thumbnails[3];
    LAB_START();
    crowd();
    for (int i = 0; i < 512; i++)
        data[i] = static_cast<unsigned char>(i * 37);
    if (!load(&decoder, "plugin.dll"))
        return 1;
    decoder.open(1, lengths, 24);
    begin(&thumbnails[0], "harbour.jpg");
    begin(&thumbnails[1], "lighthouse.jpg");
    draw_rows(&thumbnails[0], data, 16);
    draw_rows(&thumbnails[1], data, 8);
    unload(&decoder); // its file has become newer
    if (!load(&decoder, "plugin.dll"))
        return 1;
    decoder.open(0, lengths, 24);
    begin(&thumbnails[2], "family.jpg");
    draw_rows(&thumbnails[2], data, 16);
    draw_rows(&thumbnails[1], data + 128, 8); // the other half
    for (auto &thumbnail : thumbnails)
        sink += thumbnail.sum;
    unload(&decoder);
    return sink;
}
