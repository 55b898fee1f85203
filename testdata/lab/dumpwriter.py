"""Reads the reporter's raw snapshot and writes minidumps of the documented format from it.

What the process left - contexts, exception, section, handles - is copied as it is. What is changed is what Wine shows
and Windows does not: module names, version fields of the PEB, object names, the volatile registers after a software
exception, how much memory a dump of that kind holds.
"""
import re
import struct

PAGE = 0x1000
MEM_COMMIT, MEM_RESERVE, MEM_FREE = 0x1000, 0x2000, 0x10000
MEM_PRIVATE, MEM_MAPPED, MEM_IMAGE = 0x20000, 0x40000, 0x1000000
WRITABLE = 0x04 | 0x08 | 0x40 | 0x80
EXECUTABLE = 0xF0
SOFTWARE_CODES = {0xC0000008, 0xC0000024, 0xC0000022, 0xC0000264, 0xC0000025}


class Arch:
    """Offsets and register places that differ between the two architectures."""

    def __init__(self, x64):
        self.name = "x64" if x64 else "x86"
        self.ptr = 8 if x64 else 4
        self.context_size = 0x4D0 if x64 else 0x2CC
        self.ip, self.sp = (0xF8, 0x98) if x64 else (0xB8, 0xC4)
        self.word = "<Q" if x64 else "<I"
        if x64:  # rax rcx rdx r8 r9 r10 r11
            self.volatile = (0x78, 0x80, 0x88, 0xB8, 0xC0, 0xC8, 0xD0)
            self.all_registers = tuple(range(0x78, 0xF8, 8))
            self.peb = dict(lock=0x38, loader=0x110, flags=0xBC, major=0x118, minor=0x11C, build=0x120, csd=0x122, compat=0x2C8, csd_text=0x2E8)
            self.section = dict(lock_count=8, recursion_count=0xC, owning_thread=0x10, lock_semaphore=0x18, size=0x28)
            self.stack_base, self.stack_limit = 8, 0x10
        else:  # eax ecx edx
            self.volatile = (0xB0, 0xAC, 0xA8)
            self.all_registers = (0x9C, 0xA0, 0xA4, 0xA8, 0xAC, 0xB0, 0xB4, 0xB8, 0xC4)
            self.peb = dict(lock=0x1C, loader=0xA0, flags=0x68, major=0xA4, minor=0xA8, build=0xAC, csd=0xAE, compat=0x1D8, csd_text=0x1F0)
            self.section = dict(lock_count=4, recursion_count=8, owning_thread=0xC, lock_semaphore=0x10, size=0x18)
            self.stack_base, self.stack_limit = 4, 8


# ---- the snapshot ----------------------------------------------------------------------------------------------------


class Memory:
    """The process's memory: (address, bytearray) regions, sorted."""

    def __init__(self):
        self.regions = []

    def add(self, address, data):
        self.regions.append((address, bytearray(data)))

    def find(self, address):
        for base, data in self.regions:
            if base <= address < base + len(data):
                return base, data
        return None

    def read(self, address, size):
        found = self.find(address)
        if not found or address + size > found[0] + len(found[1]):
            return None
        return bytes(found[1][address - found[0]:address - found[0] + size])

    def write(self, address, data):
        base, region = self.find(address)
        region[address - base:address - base + len(data)] = data

    def unpack(self, fmt, address):
        data = self.read(address, struct.calcsize(fmt))
        return struct.unpack(fmt, data)[0] if data else None


class Snapshot:
    def __init__(self, data, arch):
        self.arch = arch
        self.memory = Memory()
        self.info, self.threads, self.modules, self.handles, self.truth = [], [], [], [], []
        self.notes, self.acts = [], []
        at = 0
        while at < len(data):
            tag, _, address, size = struct.unpack_from("<4sIQQ", data, at)
            payload = data[at + 24:at + 24 + size]
            at += 24 + size
            self._chunk(tag.decode(), address, payload)
        if not self.complete:
            raise ValueError("snapshot is cut off")
        self.memory.regions.sort(key=lambda r: r[0])

    complete = False
    trace = None

    def _chunk(self, tag, address, data):
        a = self.arch
        if tag == "MEMI":
            fmt = "<QQI4xQIIII" if a.ptr == 8 else "<IIIIIII"
            if a.ptr == 8:
                base, alloc, aprot, size, state, prot, kind = struct.unpack_from("<QQI4xQIII", data)
            else:
                base, alloc, aprot, size, state, prot, kind = struct.unpack_from("<IIIIIII", data)
            self.info.append([base, alloc, aprot, size, state, prot, kind])
        elif tag == "MEMD":
            self.memory.add(address, data)
        elif tag == "THRD":
            tid, suspend, teb, start = struct.unpack_from("<IIQQ", data)
            offset = 32 if a.ptr == 8 else 24
            self.threads.append(dict(id=tid, teb=teb, start=start, context=bytearray(data[offset:offset + a.context_size])))
        elif tag == "MODU":
            self.modules.append(dict(base=address, path=data.decode("utf-16-le")))
        elif tag == "HNDL":
            h, attr, access, count, pointers, has, kind, state, _ = struct.unpack_from("<QIIIIIIII", data)
            text = [data[40:168].decode("utf-16-le").split("\0")[0], data[168:488].decode("utf-16-le").split("\0")[0]]
            self.handles.append(dict(handle=h, attributes=attr, access=access, count=count, pointers=pointers,
                                     event=(kind, state) if has else None, type=text[0], name=text[1]))
        elif tag == "EXCR":
            self.thread_id, self.record = address, data
        elif tag == "CTX ":
            self.context = bytearray(data[:a.context_size])
        elif tag == "PEB ":
            self.peb = address
            self.section, self.handle, self.main_returns_to, count, _ = struct.unpack_from("<QQQII", data)
            for i in range(count):
                kind, _, value, text = struct.unpack_from("<IIQ112s", data, 32 + i * 128)
                self.notes.append((kind, value, text.split(b"\0")[0].decode()))
        elif tag == "ACT ":
            cause, raw, readable, is_event, thread, section, handle = struct.unpack_from("<24s40sIII4xQQ", data)
            self.acts.append(dict(cause=cause.split(b"\0")[0].decode(), bytes=raw[:a.section["size"]], readable=bool(readable), is_event=bool(is_event),
                                  thread=thread, section=section, handle=handle))
        elif tag == "PID ":
            self.pid = address
        elif tag == "SELF":
            self.own_file = address
        elif tag == "UNLD":
            self.unloaded = self._unloaded(data)
        elif tag == "TRUE":
            names = ("rip", "rsp", "rbx", "rbp", "rsi", "rdi", "r12", "r13", "r14", "r15")
            self.truth.append(dict(zip(names, struct.unpack("<10Q", data))))
        elif tag == "TRAC":
            entries = [data[at:at + 288] for at in range(0, len(data), 288)]
            self.trace = [entries[i % len(entries)] for i in range(max(0, address - len(entries)), address)]  # oldest first
        elif tag == "END ":
            self.complete = True

    def _unloaded(self, data):
        size = 104 if self.arch.ptr == 8 else 88
        found = []
        for at in range(0, len(data) - size + 1, size):
            if self.arch.ptr == 8:
                base, image, seq, stamp, check = struct.unpack_from("<QQIII", data, at)
                name = data[at + 28:at + 92]
            else:
                base, image, seq, stamp, check = struct.unpack_from("<IIIII", data, at)
                name = data[at + 20:at + 84]
            if base:
                found.append(dict(base=base, size=image, stamp=stamp, check=check, name=name.decode("utf-16-le").split("\0")[0]))
        return found

    @property
    def code(self):
        return struct.unpack_from("<I", self.record)[0]


# ---- making it look like Windows -------------------------------------------------------------------------------------

RENAMES = {"cslab.dll": "ntdll.dll", "ntdll.dll": "ntbas.dll", "cslabk32.dll": "KERNEL32.dll", "kernel32.dll": "kernbs32.dll"}


def _rename(match):
    text = match.group(0)
    wide = b"\0" in text
    plain = text.replace(b"\0", b"").decode()
    low = plain.lower()
    if low in RENAMES:
        new = RENAMES[low]
    elif low == "cslab.rtl":
        new = "NTDLL.Rtl"
    else:  # "wine" in any case
        new = plain[:-1] + ("D" if plain[-1] == "E" else "d")
    return new.encode("utf-16-le") if wide else new.encode()


def _pattern():
    def both(text):
        narrow = re.escape(text).encode()
        wide = b"".join(re.escape(c).encode() + b"\\x00" for c in text)
        return narrow, wide
    words = sorted(RENAMES, key=len, reverse=True) + ["cslab.rtl", "wine"]
    parts = []
    for word in words:
        narrow, wide = both(word)
        # not inside a longer name: "xntdll.dll" stays
        parts += [rb"(?<![A-Za-z0-9_])" + narrow, wide] if word != "wine" else [narrow, wide]
    return re.compile(b"|".join(parts), re.I)


NAME_PATTERN = _pattern()


NEEDLES = [n for word in list(RENAMES) + ["cslab.rtl", "wine"] for n in (word.lower().encode(), word.lower().encode("utf-16-le"))]


def rename(data):
    """As NAME_PATTERN.sub, but the pattern is tried only where one of its words stands: twenty times faster."""
    low, places = data.lower(), set()
    for needle in NEEDLES:
        at = low.find(needle)
        while at >= 0:
            places.add(at)
            at = low.find(needle, at + 1)
    out, done = [], 0
    for at in sorted(places):
        match = NAME_PATTERN.match(data, at) if at >= done else None
        if match:
            out += [data[done:at], _rename(match)]
            done = match.end()
    return b"".join(out) + data[done:]


def windows_path(path):
    name = path.replace("\\??\\", "")
    name = rename(name.encode()).decode()
    name = re.sub(r"(?i)^c:\\windows\\system32\\", r"C:\\Windows\\System32\\", name)
    if re.search(r"(?i)\\(ntdll|ntbas|KERNEL32|kernbs32|verifier|vrfcore|vfbasics)\.dll$", name):
        name = "C:\\Windows\\System32\\" + name.rsplit("\\", 1)[1]
    return name


def disguise(snap, os):
    """Everything Wine shows and Windows would not. Thread contexts stay, except volatile registers of the crash."""
    a = snap.arch
    for base, data in snap.memory.regions:
        data[:] = rename(bytes(data))
    for module in snap.modules:
        module["path"] = windows_path(module["path"])
    for unloaded in snap.unloaded:
        unloaded["name"] = rename(unloaded["name"].encode()).decode()
    memory, peb = snap.memory, snap.peb
    for name, fmt, value in (("major", "<I", os["major"]), ("minor", "<I", os["minor"]), ("build", "<H", os["build"]), ("csd", "<H", os["service_pack"] << 8),
                             ("compat", "<Q", os.get("compat", 0)), ("flags", "<I", os.get("global_flag", 0))):
        memory.write(peb + a.peb[name], struct.pack(fmt, value))
    for field, symbol in (("loader", "LdrpLoaderLock"), ("lock", "FastPebLock")):
        memory.write(peb + a.peb[field], struct.pack(a.word, export_address(snap, find_module(snap, "ntdll.dll")["base"], symbol)))
    if snap.code in SOFTWARE_CODES:
        scrub_registers(snap)
    snap.handles = [h for h in snap.handles if not re.search(r"(?i)\\wine", h["name"])]
    trim_stacks(snap)


def scrub_registers(snap):
    """On Windows the volatile registers hold nothing useful after the raise; Wine keeps the section in them."""
    a = snap.arch
    crashed = next(t for t in snap.threads if t["id"] == snap.thread_id)
    for context in (snap.context, crashed["context"]):
        for i, offset in enumerate(a.volatile):
            struct.pack_into(a.word, context, offset, (0, 0x5C7, 0, 0x246, 0x33, 0, 0x202)[i])


def trim_stacks(snap):
    """Wine commits whole stacks; Windows commits what was used, below it the guard page, below that reserve."""
    a = snap.arch
    for thread in snap.threads:
        teb = thread["teb"]
        high, low = (snap.memory.unpack(a.word, teb + o) for o in (a.stack_base, a.stack_limit))
        found = snap.memory.find(high - a.ptr)
        thread["stack"] = (low, high)
        if not found:
            continue
        base, data = cut_after(snap, found, high)
        used = len(data) - len(bytes(data).lstrip(b"\0"))
        low = max(base, base + (used & -PAGE) - PAGE)
        thread["stack"] = (low, high)
        if low > base:
            replace_region(snap, base, (low, data[low - base:]))
            snap.memory.write(teb + a.stack_limit, struct.pack(a.word, low))
            split_stack_info(snap, low)


def replace_region(snap, base, new):
    index = next(i for i, r in enumerate(snap.memory.regions) if r[0] == base)
    snap.memory.regions[index] = new


def cut_after(snap, region, high):
    """Wine puts its own second stack behind the thread's: no such memory on Windows."""
    base, data = region
    alloc = next(e[1] for e in snap.info if e[0] <= base < e[0] + e[3])
    behind = [e for e in snap.info if e[0] >= high and e[4] != MEM_FREE and (e[1] == alloc or e[0] == high and e[6] == MEM_PRIVATE)]
    for entry in behind:
        snap.info.remove(entry)
        snap.memory.regions = [r for r in snap.memory.regions if not entry[0] <= r[0] < entry[0] + entry[3]]
    if base + len(data) > high:
        replace_region(snap, base, (base, data[:high - base]))
    for entry in snap.info:
        if entry[0] < high < entry[0] + entry[3]:
            entry[3] = high - entry[0]
    return base, data[:high - base]


def split_stack_info(snap, low):
    for i, entry in enumerate(snap.info):
        base, alloc, aprot, size, state, prot, kind = entry
        if base < low < base + size and state == MEM_COMMIT:
            pieces = [[base, alloc, aprot, low - PAGE - base, MEM_RESERVE, 0, kind], [low - PAGE, alloc, aprot, PAGE, MEM_COMMIT, 0x104, kind],
                      [low, alloc, aprot, base + size - low, state, prot, kind]]
            snap.info[i:i + 1] = [p for p in pieces if p[3] > 0]
            return


# ---- images ----------------------------------------------------------------------------------------------------------


class Image:
    """The mapped image at base: headers, directories, sections."""

    def __init__(self, memory, base):
        self.base, self.memory = base, memory
        self.nt = memory.unpack("<I", base + 0x3C)
        self.stamp = memory.unpack("<I", base + self.nt + 8)
        optional = base + self.nt + 24
        x64 = memory.unpack("<H", optional) == 0x20B
        self.size = memory.unpack("<I", optional + 56)
        self.header_size = memory.unpack("<I", optional + 60)
        self.check_sum = memory.unpack("<I", optional + 64)
        directories = optional + (112 if x64 else 96)
        self.directories = [struct.unpack("<II", memory.read(directories + 8 * i, 8)) for i in range(16)]
        count = memory.unpack("<H", base + self.nt + 6)
        table = optional + memory.unpack("<H", base + self.nt + 20)
        self.sections = []
        for i in range(count):
            name, size, rva, _, _, _, _, _, _, flags = struct.unpack("<8sIIIIIIHHI", memory.read(table + 40 * i, 40))
            self.sections.append((name.rstrip(b"\0").decode(), rva, size, flags))

    def code_view(self):
        rva, size = self.directories[6]
        for at in range(rva, rva + size, 28):
            kind, length, data = struct.unpack("<III", self.memory.read(self.base + at + 12, 12))
            if kind == 2:
                return self.memory.read(self.base + data, length)
        return b""


def find_module(snap, name):
    return next(m for m in snap.modules if m["path"].lower().endswith("\\" + name.lower()))


def export_address(snap, base, symbol):
    m = snap.memory
    directory = base + Image(m, base).directories[0][0]
    names, functions, ordinals = (m.unpack("<I", directory + o) for o in (32, 28, 36))
    for i in range(m.unpack("<I", directory + 24)):
        text = m.read(base + m.unpack("<I", base + names + 4 * i), len(symbol) + 1)
        if text == symbol.encode() + b"\0":
            return base + m.unpack("<I", base + functions + 4 * m.unpack("<H", base + ordinals + 2 * i))
    raise KeyError(symbol)


# ---- which memory a dump of one kind holds -----------------------------------------------------------------------------


class Ranges:
    def __init__(self):
        self.items = []

    def add(self, start, end):
        if end > start:
            self.items.append((start, end))

    def merged(self):
        out = []
        for start, end in sorted(self.items):
            if out and start <= out[-1][1]:
                out[-1][1] = max(out[-1][1], end)
            else:
                out.append([start, end])
        return out

    def remove(self, start, end):
        kept = []
        for s, e in self.items:
            kept += [(s, min(e, start))] if s < start else []
            kept += [(max(s, end), e)] if e > end else []
        self.items = [(s, e) for s, e in kept if e > s]


def live_stack(snap, thread):
    context = snap.context if thread["id"] == snap.thread_id else thread["context"]
    sp = struct.unpack_from(snap.arch.word, context, snap.arch.sp)[0]
    low, high = thread["stack"]
    return (sp if low <= sp < high else low), high


def stack_words(snap, whole):
    a = snap.arch
    for thread in snap.threads:
        low, high = thread["stack"] if whole else live_stack(snap, thread)
        data = snap.memory.read(low, high - low) or b""
        for (value,) in struct.iter_unpack(a.word, data[:len(data) // a.ptr * a.ptr]):
            yield value
        for offset in a.all_registers:
            yield struct.unpack_from(a.word, thread["context"], offset)[0]


def find_on_stacks(snap, value):
    """The highest place on any stack that holds the value: for main's return address, the slot it returns through."""
    a = snap.arch
    for thread in snap.threads:
        low, high = live_stack(snap, thread)
        data = snap.memory.read(low, high - low) or b""
        at = data.rfind(struct.pack(a.word, value))
        if at >= 0:
            return low + at
    return 0


def is_reporter(module):
    """Its data hold what it saw of the other threads: nothing a dump should be read from."""
    return module["path"].lower().endswith("\\reporter.dll")


def is_own(module):
    return module["path"].lower().endswith(("\\ntdll.dll", "\\kernel32.dll", "\\verifier.dll", "\\vrfcore.dll", "\\vfbasics.dll")) or "\\contoso\\" in module["path"].lower()


def full_ranges(snap):
    """All stacks, heaps and data, our own images whole, of the others what unwinding and naming needs."""
    ranges, images = Ranges(), []
    for module in snap.modules:
        image = Image(snap.memory, module["base"])
        images.append((module, image))
        if is_reporter(module):
            ranges.add(image.base, image.base + image.header_size)
            continue
        if is_own(module):
            ranges.add(image.base, image.base + image.size)
            continue
        ranges.add(image.base, image.base + image.header_size)
        for index in (0, 3, 6):
            rva, size = image.directories[index]
            if size < 0x20000:
                ranges.add(image.base + rva, image.base + rva + size)
        for name, rva, size, flags in image.sections:
            if name == ".xdata" or (flags & 0x80000000 and size < 0x40000):
                ranges.add(image.base + rva, image.base + rva + size)
    spans = [(i.base, i.base + i.size, i) for _, i in images]
    for value in set(stack_words(snap, whole=False)):
        if any(low <= value < high for low, high, _ in spans):
            ranges.add(value & -PAGE, (value & -PAGE) + PAGE)
    for base, alloc, aprot, size, state, prot, kind in snap.info:
        shared = kind == MEM_MAPPED and prot & WRITABLE and size <= 0x10000
        if state == MEM_COMMIT and (kind == MEM_PRIVATE and size <= 0x400000 or shared):
            ranges.add(base, base + size)
    ranges.add(0x7FFE0000, 0x7FFE1000)
    return ranges


def data_sections(snap):
    for module in snap.modules:
        image = Image(snap.memory, module["base"])
        for name, rva, size, flags in image.sections:
            if flags & 0x80000000 and not is_reporter(module):
                yield module, name, image.base + rva, image.base + rva + size


def wer_ranges(snap, keep_imports):
    """Stacks, 1 KiB around whatever they point to outside images, writable data of the modules; with the
    import tables also the programs' headers and the code that the stacks point to, as real dumps with indirectly
    referenced memory have it, but no code of the system."""
    ranges = normal_ranges(snap, code=False)
    images = [(Image(snap.memory, m["base"]).base, Image(snap.memory, m["base"]).size) for m in snap.modules]
    private = [(b, b + s) for b, _, _, s, state, _, kind in snap.info if state == MEM_COMMIT and kind == MEM_PRIVATE]
    for value in set(stack_words(snap, whole=False)):
        for low, high in private:
            if low <= value < high:
                ranges.add(max(low, value - 512), min(high, value + 512))
    for module, name, low, high in data_sections(snap):
        if high - low < (0x8000 if is_own(module) else 0x2000):  # the big ones are Wine's own tables
            ranges.add(low, high)
    for module in snap.modules:
        image = Image(snap.memory, module["base"])
        if keep_imports and "\\contoso\\" in module["path"].lower() and not is_reporter(module):
            ranges.add(image.base, image.base + image.header_size)
            for value in set(stack_words(snap, whole=False)):
                if image.base <= value < image.base + image.size:
                    ranges.add(max(image.base, value - 512), min(image.base + image.size, value + 512))
    for module, name, low, high in data_sections(snap):
        if name == ".idata" and not keep_imports:
            ranges.remove(low, (high + PAGE - 1) & -PAGE)
    return ranges


def code_ranges(snap):
    """As wer_ranges, and the program's, its DLLs' and ntdll's images whole: MiniDumpWithCodeSegs."""
    ranges = wer_ranges(snap, True)
    for module in snap.modules:
        image = Image(snap.memory, module["base"])
        if is_own(module) and not is_reporter(module):
            ranges.add(image.base, image.base + image.size)
    return ranges


def normal_ranges(snap, code=True):
    ranges = Ranges()
    for thread in snap.threads:
        ranges.add(*live_stack(snap, thread))
        ranges.add(thread["teb"], thread["teb"] + (0x1838 if snap.arch.ptr == 8 else 0x1000))
    ranges.add(snap.peb, snap.peb + 0x400)
    if code:
        ip = struct.unpack_from(snap.arch.word, snap.context, snap.arch.ip)[0]
        ranges.add(ip - 128, ip + 128)
    return ranges


def collect(snap, ranges):
    """Cuts the ranges to the memory the snapshot has."""
    out = []
    for start, end in ranges.merged():
        for base, data in snap.memory.regions:
            low, high = max(start, base), min(end, base + len(data))
            if low < high:
                out.append((low, bytes(data[low - base:high - base])))
    joined = []
    for address, data in sorted(out):
        if joined and joined[-1][0] + len(joined[-1][1]) == address:
            joined[-1] = (joined[-1][0], joined[-1][1] + data)
        else:
            joined.append((address, data))
    return joined


# ---- the minidump ------------------------------------------------------------------------------------------------------


class Writer:
    def __init__(self):
        self.data = bytearray()
        self.streams = []

    def append(self, data, align=4):
        self.data += b"\0" * (-len(self.data) % align)
        rva = len(self.data)
        self.data += data
        return rva

    def string(self, text):
        raw = text.encode("utf-16-le")
        return self.append(struct.pack("<I", len(raw)) + raw + b"\0\0")

    def stream(self, kind, data):
        self.streams.append((kind, len(data), self.append(data)))


def system_info(writer, snap, os):
    csd = writer.string("Service Pack %d" % os["service_pack"] if os["service_pack"] else "")
    cpu = bytes.fromhex("47656e75696e65496e74656ca7060000ffbbebbf00000000")
    if snap.arch.ptr == 8:
        cpu = struct.pack("<QQ8x", 0x7, 0)
    return struct.pack("<HHHBBIIIIIHH", 9 if snap.arch.ptr == 8 else 0, 6, 0x2A07, os["cpus"], 1, os["major"], os["minor"], os["build"], 2, csd, 0x100, 0) + cpu


def module_list(writer, snap, os):
    out = struct.pack("<I", len(snap.modules))
    for module in snap.modules:
        image = Image(snap.memory, module["base"])
        name = module["path"].rsplit("\\", 1)[1].lower()
        system = "\\windows\\" in module["path"].lower()
        ms, ls = ((os["major"] << 16 | os["minor"], os["build"] << 16 | os["revision"]) if system else (2 << 16, 1 << 16))
        version = struct.pack("<13I", 0xFEEF04BD, 0x10000, ms, ls, ms, ls, 0x3F, 0, 0x40004, 1 if name.endswith(".exe") else 2, 0, 0, 0)
        code_view = image.code_view()
        cv = (len(code_view), writer.append(code_view)) if code_view else (0, 0)
        out += struct.pack("<QIIII", image.base, image.size, image.check_sum, image.stamp, writer.string(module["path"])) + version
        out += struct.pack("<IIIIQQ", cv[0], cv[1], 0, 0, 0, 0)
    return out


def handle_stream(writer, snap, wide, event_info):
    out, size = b"", 40 if wide else 32
    names = {value: text for kind, value, text in snap.notes if kind == 1}
    names[snap.own_file] = "\\Device\\HarddiskVolume1\\ProgramData\\Contoso\\crash.dmp"
    for h in snap.handles:
        name = names.get(h["handle"], "" if h["type"] == "File" else windows_object(h["name"]))
        info = 0
        if event_info and h["event"]:
            info = writer.append(struct.pack("<III", 0, 6, 8) + struct.pack("<II", *h["event"]))
        out += struct.pack("<QIIIIII", h["handle"], writer.string(h["type"]) if h["type"] else 0, writer.string(name) if name else 0, h["attributes"],
                           h["access"], h["count"], h["pointers"])
        out += struct.pack("<II", info, 0) if wide else b""
    return struct.pack("<IIII", 16, size, len(snap.handles), 0) + out


def handle_operations(snap, newest_first):
    """MINIDUMP_HANDLE_OPERATION_LIST. Which end real dumps begin with is not known: both occur here."""
    entries = snap.trace[::-1] if newest_first else snap.trace
    return struct.pack("<IIII", 16, 288, len(entries), 0) + b"".join(entries)


def windows_object(name):
    return rename(name.encode()).decode()


def misc_info(snap, when):
    return struct.pack("<IIIIII", 24, 3, snap.pid, when - 60, 1, 0)


def thread_list(writer, snap, regions, rvas):
    out = struct.pack("<I", len(snap.threads))
    for thread in snap.threads:
        low, high = live_stack(snap, thread)
        rva = 0  # as in real full dumps: address and size, no location
        for (address, data), region_rva in zip(regions, rvas):
            if address <= low < address + len(data):
                rva = region_rva + low - address
        thread["context_rva"] = writer.append(thread["context"], 16)
        out += struct.pack("<IIIIQQIIII", thread["id"], 0, 0x20, 8, thread["teb"], low, high - low, rva, len(thread["context"]), thread["context_rva"])
    return out


def exception_stream(snap):
    a, record = snap.arch, snap.record
    if a.ptr == 8:
        code, flags, chain, address, count = struct.unpack_from("<IIQQI", record)
        parameters = struct.unpack_from("<15Q", record, 32)
    else:
        code, flags, chain, address, count = struct.unpack_from("<IIIII", record)
        parameters = struct.unpack_from("<15I", record, 20)
    parameters = [p if i < count else 0 for i, p in enumerate(parameters)]
    context = next(t for t in snap.threads if t["id"] == snap.thread_id)
    return struct.pack("<IIIIQQII15Q", snap.thread_id, 0, code, flags, chain, address, count, 0, *parameters) + struct.pack("<II", len(context["context"]), context["context_rva"])


def memory_info(snap):
    out = struct.pack("<IIQ", 16, 48, len(snap.info))
    for base, alloc, aprot, size, state, prot, kind in snap.info:
        out += struct.pack("<QQIIQIIII", base, alloc, aprot, 0, size, state, prot, kind, 0)
    return out


def extra_streams(writer, snap):
    writer.stream(16, memory_info(snap))
    writer.stream(14, unloaded_list(writer, snap))
    out = struct.pack("<III", 12, 64, len(snap.threads))
    for i, thread in enumerate(snap.threads):
        out += struct.pack("<IIIIQQQQQQ", thread["id"], 0, 0, 0x103, 0x1D0A5E4B0000000 + i * 10000, 0, 156250, 312500, thread["start"], 3)
    writer.stream(17, out)
    names = [(value, text) for kind, value, text in snap.notes if kind == 2 and any(t["id"] == value for t in snap.threads)]
    if names:
        writer.stream(24, struct.pack("<I", len(names)) + b"".join(struct.pack("<IQ", tid, writer.string(text)) for tid, text in names))


def unloaded_list(writer, snap):
    out = struct.pack("<III", 12, 24, len(snap.unloaded))
    for u in snap.unloaded:
        out += struct.pack("<QIIII", u["base"], u["size"], u["check"], u["stamp"], writer.string(u["name"]))
    return out


FLAGS = {"full": 0x1826, "code": 0x3045, "wer": 0x1045, "normal": 0x1000}


def write_dump(snap, os, kind, handles, wide=False, event_info=False, keep_imports=False, newest_first=True, when=1700000000):
    ranges = {"full": lambda: full_ranges(snap), "code": lambda: code_ranges(snap), "wer": lambda: wer_ranges(snap, keep_imports), "normal": lambda: normal_ranges(snap)}[kind]()
    regions = collect(snap, ranges)
    writer = Writer()
    writer.data += b"\0" * (32 + 12 * 16)
    writer.stream(7, system_info(writer, snap, os))
    writer.stream(15, misc_info(snap, when))
    writer.stream(4, module_list(writer, snap, os))
    if handles:
        writer.stream(12, handle_stream(writer, snap, wide, event_info))
    if kind == "full":
        extra_streams(writer, snap)
    if handles and snap.trace is not None:
        writer.stream(18, handle_operations(snap, newest_first))
    memory_stream(writer, snap, regions, kind == "full")
    count = len(writer.streams)
    flags = FLAGS[kind] & (0xFFFFFFFF if handles else ~4)
    struct.pack_into("<IIIIIIQ", writer.data, 0, 0x504D444D, 0xA793, count, 32, 0, when, flags)
    for i, (kind_id, size, rva) in enumerate(writer.streams):
        struct.pack_into("<III", writer.data, 32 + 12 * i, kind_id, size, rva)
    return bytes(writer.data)


def memory_stream(writer, snap, regions, full):
    """Full dumps hold the memory at the end, in one piece; the others have a list of locations."""
    if not full:
        half = len(regions) // 2
        regions = regions[half:] + regions[:half]  # Windows does not sort this list either
        rvas = [writer.append(data) for _, data in regions]
        writer.stream(3, thread_list(writer, snap, regions, rvas))
        writer.stream(6, exception_stream(snap))
        out = struct.pack("<I", len(regions)) + b"".join(struct.pack("<QII", address, len(data), rva) for (address, data), rva in zip(regions, rvas))
        writer.stream(5, out)
        return
    writer.stream(3, thread_list(writer, snap, [], []))
    writer.stream(6, exception_stream(snap))
    size = 16 + 16 * len(regions)
    rva = len(writer.data) + (-len(writer.data) % 4) + size
    out = struct.pack("<QQ", len(regions), rva) + b"".join(struct.pack("<QQ", address, len(data)) for address, data in regions)
    writer.stream(9, out)
    writer.data += b"".join(data for _, data in regions)
