"""A process for the ARM64 programs: unicorn executes their code, this file answers the services that it calls.

What the process leaves - memory, contexts, exception, handles - goes into the fields of dumpwriter.Snapshot, and for every
frame of the crashing thread the registers as they were at its call (`truth`).
"""
import struct
from unicorn import UC_ARCH_ARM64, UC_HOOK_CODE, UC_HOOK_INTR, UC_HOOK_MEM_READ, UC_MODE_ARM, UC_PROT_ALL, Uc, UcError
from unicorn.arm64_const import (UC_ARM64_REG_FP, UC_ARM64_REG_LR, UC_ARM64_REG_NZCV, UC_ARM64_REG_PC, UC_ARM64_REG_SP, UC_ARM64_REG_X0,
                                 UC_ARM64_REG_CPACR_EL1, UC_ARM64_REG_V0, UC_CPU_ARM64_MAX)

PAGE = 0x1000
COMMIT, RESERVE = 0x1000, 0x2000
PRIVATE, MAPPED, IMAGE = 0x20000, 0x40000, 0x1000000
INVALID_HANDLE, TYPE_MISMATCH, ACCESS_DENIED = 0xC0000008, 0xC0000024, 0xC0000022
ACCESS_VIOLATION = 0xC0000005
PEB, FIRST_TEB, STACKS, ALLOCATIONS, SHARED = 0x8A53A1000, 0x8A53A2000, 0x8A54000000, 0x1D4C6A30000, 0x1D4C6900000
STACK_SIZE, STACK_COMMIT = 0x100000, 0x8000
X = [UC_ARM64_REG_X0 + i for i in range(29)] + [UC_ARM64_REG_FP, UC_ARM64_REG_LR]
CONTEXT_SIZE = 912


class Arch:
    """What dumpwriter wants to know of an architecture."""
    name, ptr, context_size, word = "arm64", 8, CONTEXT_SIZE, "<Q"
    ip, sp = 0x108, 0x100
    volatile = ()
    all_registers = tuple(range(8, 0x108, 8))
    section = dict(lock_count=8, recursion_count=0xC, owning_thread=0x10, lock_semaphore=0x18, size=0x28)
    stack_base, stack_limit = 8, 0x10


class Memory:
    def __init__(self, uc):
        self.uc, self.regions = uc, []

    def add(self, base, size, kind, protection=4):
        self.uc.mem_map(base, size, UC_PROT_ALL)
        self.regions.append([base, size, kind, protection])

    def remove(self, base):
        region = next(r for r in self.regions if r[0] == base)
        self.regions.remove(region)
        self.uc.mem_unmap(base, region[1])

    def write(self, address, data):
        self.uc.mem_write(address, bytes(data))

    def read(self, address, size):
        return bytes(self.uc.mem_read(address, size))


class Module:
    """An image mapped at its preferred base."""

    def __init__(self, memory, path, data):
        self.path, self.data = path, data
        nt = struct.unpack_from("<I", data, 0x3C)[0]
        sections, optional_size = struct.unpack_from("<H", data, nt + 6)[0], struct.unpack_from("<H", data, nt + 20)[0]
        optional = nt + 24
        self.entry = struct.unpack_from("<I", data, optional + 16)[0]
        self.base, = struct.unpack_from("<Q", data, optional + 24)
        self.size, header = struct.unpack_from("<II", data, optional + 56)
        self.size = (self.size + PAGE - 1) & -PAGE
        self.directories = [struct.unpack_from("<II", data, optional + 112 + 8 * i) for i in range(16)]
        memory.add(self.base, self.size, IMAGE, 0x80)
        memory.write(self.base, data[:header])
        for i in range(sections):
            size, rva, raw, at = struct.unpack_from("<IIII", data, optional + optional_size + 40 * i + 8)
            memory.write(self.base + rva, data[at:at + min(raw, size)])
        self.memory = memory

    def u32(self, rva):
        return struct.unpack("<I", self.memory.read(self.base + rva, 4))[0]

    def text(self, rva):
        return self.memory.read(self.base + rva, 64).split(b"\0")[0].decode()

    def exports(self):
        rva, size = self.directories[0]
        if not rva:
            return {}
        names, functions, ordinals = self.u32(rva + 32), self.u32(rva + 28), self.u32(rva + 36)
        found = {}
        for i in range(self.u32(rva + 24)):
            ordinal = struct.unpack("<H", self.memory.read(self.base + ordinals + 2 * i, 2))[0]
            at = self.u32(functions + 4 * ordinal)
            forward = self.text(at) if rva <= at < rva + size else None
            found[self.text(self.u32(names + 4 * i))] = forward or self.base + at
        return found

    def bind(self, resolve):
        at = self.directories[1][0]
        while at and self.u32(at + 12):
            lookup, slot = self.u32(at), self.u32(at + 16)
            while self.u32(lookup):
                address = resolve(self.text(self.u32(at + 12)), self.text(self.u32(lookup) + 2))
                self.memory.write(self.base + slot, struct.pack("<Q", address))
                lookup, slot = lookup + 8, slot + 8
            at += 20


class Thread:
    def __init__(self, number, start, argument):
        self.id, self.number = 0x1A40 + 8 * number, number
        self.teb = FIRST_TEB + 0x2000 * number
        self.low, self.high = STACKS + 2 * STACK_SIZE * number, STACKS + 2 * STACK_SIZE * number + STACK_SIZE
        self.start = start
        self.registers = [0] * 31
        for i in range(19, 29):  # whatever was there: recognisable in the truth
            self.registers[i] = 0x5EED00 + 0x100 * number + i
        self.registers[0], self.registers[1], self.registers[18] = start, argument, self.teb
        self.sp, self.pc, self.flags = self.high - 0x40, 0, 0
        self.vectors = [0] * 32
        self.waits_for = None  # ("handle", value), ("address", value)
        self.is_done = False
        self.calls = []  # (return address, registers at the call)


class Crash(Exception):
    pass


class Process:
    """`files`: path to bytes of the images, the program last."""

    def __init__(self, files, compat=0):
        self.uc = Uc(UC_ARCH_ARM64, UC_MODE_ARM)
        self.uc.ctl_set_cpu_model(UC_CPU_ARM64_MAX)
        self.uc.reg_write(UC_ARM64_REG_CPACR_EL1, 3 << 20)
        self.memory = Memory(self.uc)
        self.compat = compat
        self.modules = [Module(self.memory, path, data) for path, data in files]
        self.by_name = {m.path.rsplit("\\", 1)[1].lower(): m for m in self.modules}
        for module in self.modules:
            module.bind(self.resolve)
        self.threads, self.handles, self.current = [], {}, None
        self.next_handle, self.next_allocation, self.race = 0x94, ALLOCATIONS, None
        self.section = self.handle = 0
        self.sleeps = 0
        self.section_header()
        self.uc.hook_add(UC_HOOK_INTR, self.on_interrupt)
        self.uc.hook_add(UC_HOOK_CODE, self.on_code)
        self.uc.hook_add(UC_HOOK_MEM_READ, self.on_read)

    def resolve(self, module, name):
        found = self.by_name[module.lower()].exports()[name]
        if isinstance(found, str):
            module, name = found.split(".")
            return self.resolve(module + ".dll", name)
        return found

    def section_header(self):
        """The PEB: its heap, its version, its flags (offsets: critical-sections.md 6.1)."""
        ntdll = self.by_name["ntdll.dll"].exports()
        self.memory.add(PEB, PAGE, PRIVATE)
        self.memory.add(FIRST_TEB, 0x20000, PRIVATE)
        for offset, fmt, value in ((0x10, "<Q", self.modules[-1].base), (0x30, "<Q", ALLOCATIONS - 0x10000), (0x38, "<Q", ntdll["FastPebLock"]), (0x110, "<Q", ntdll["LdrpLoaderLock"]),
                                   (0x118, "<I", 10), (0x11C, "<I", 0), (0x120, "<H", 22631), (0xB8, "<I", 8), (0x2C8, "<Q", self.compat)):
            self.memory.write(PEB + offset, struct.pack(fmt, value))
        # Handles that any process has.
        for kind, name in (("Directory", "\\KnownDlls"), ("File", "\\Device\\HarddiskVolume3\\Users\\ops"), ("Event", ""), ("Key", "\\REGISTRY\\MACHINE"), ("Event", "")):
            self.new_handle(kind, name, 0x1F0003 if kind == "Event" else 0x20019)

    def new_handle(self, kind, name="", access=0x1F0003, state=None):
        """Files and events take the lowest free slot, as in Windows; threads a new one, as if made before."""
        free = sorted(h for h, entry in self.handles.items() if entry is None and kind != "Thread")
        handle = free[0] if free else self.next_handle
        if not free:
            self.next_handle += 4
        self.handles[handle] = dict(type=kind, name=name, access=access, signaled=bool(state))
        return handle

    # ---- threads ---------------------------------------------------------------------------------------------------

    def new_thread(self, start, argument):
        thread = Thread(len(self.threads), start, argument)
        thread.pc = self.by_name["ntdll.dll"].exports()["RtlUserThreadStart"]
        self.memory.add(thread.high - STACK_COMMIT, STACK_COMMIT, PRIVATE)
        for offset, value in ((8, thread.high), (0x10, thread.high - STACK_COMMIT), (0x30, thread.teb), (0x40, 0x2F38), (0x48, thread.id), (0x60, PEB)):
            self.memory.write(thread.teb + offset, struct.pack("<Q", value))
        self.threads.append(thread)
        return thread

    def load(self, thread):
        for register, value in zip(X, thread.registers):
            self.uc.reg_write(register, value)
        for i, value in enumerate(thread.vectors):
            self.uc.reg_write(UC_ARM64_REG_V0 + i, value)
        self.uc.reg_write(UC_ARM64_REG_SP, thread.sp)
        self.uc.reg_write(UC_ARM64_REG_NZCV, thread.flags)
        self.current = thread

    def save(self, thread):
        thread.registers = [self.uc.reg_read(register) for register in X]
        thread.vectors = [self.uc.reg_read(UC_ARM64_REG_V0 + i) for i in range(32)]
        thread.sp, thread.pc = self.uc.reg_read(UC_ARM64_REG_SP), self.uc.reg_read(UC_ARM64_REG_PC)
        thread.flags = self.uc.reg_read(UC_ARM64_REG_NZCV)

    def run_thread(self, thread):
        """Until it waits, ends or yields."""
        self.load(thread)
        self.yielded, self.has_read, self.pending = False, False, None
        while not (self.yielded or thread.waits_for or thread.is_done):
            try:
                # One by one: hooks see exact registers, and a stop is exact too.
                self.uc.emu_start(thread.pc, 0, count=1)
            except UcError:
                self.save(thread)
                return self.fault(thread)
            self.save(thread)
            if self.pending:
                thread.registers[0], thread.pc = self.pending[0] & 0xFFFFFFFFFFFFFFFF, self.uc.reg_read(UC_ARM64_REG_PC)
                self.uc.reg_write(UC_ARM64_REG_X0, thread.registers[0])
                self.pending = None
            if self.has_read:
                self.race, self.has_read = None, False
                return

    def run(self, entry):
        main = self.new_thread(entry, 0)
        try:
            self.call("LdrInitialize", main)
            while True:
                ready = [t for t in self.threads if not (t.waits_for or t.is_done)]
                if not ready:
                    raise RuntimeError("the program did not crash")
                # The youngest first, so that new threads run while the others sleep.
                self.run_thread(max(ready, key=lambda t: (t.number if t is not self.last_yield else -1)))
        except Crash:
            return

    last_yield = None

    def call(self, name, thread):
        """A function of ntdll, run by itself."""
        kept = (list(thread.registers), thread.sp, thread.pc)
        thread.pc, thread.registers[30] = self.by_name["ntdll.dll"].exports()[name], 0xFFF0
        self.load(thread)
        self.uc.emu_start(thread.pc, 0xFFF0)
        thread.registers, thread.sp, thread.pc = kept
        thread.calls = []

    # ---- hooks -----------------------------------------------------------------------------------------------------

    def on_code(self, uc, address, size, _):
        word, = struct.unpack("<I", uc.mem_read(address, 4))
        calls = self.current.calls
        if word >> 26 == 0x25 or word & 0xFFFFFC1F == 0xD63F0000:
            registers = [uc.reg_read(r) for r in X]
            calls.append((address + 4, registers, uc.reg_read(UC_ARM64_REG_SP)))
        elif word == 0xD65F03C0:
            back = uc.reg_read(UC_ARM64_REG_LR)
            if calls and calls[-1][0] == back:
                calls.pop()

    def on_read(self, uc, access, address, size, value, _):
        if self.race == address:
            self.has_read = True

    def on_interrupt(self, uc, number, _):
        pc = uc.reg_read(UC_ARM64_REG_PC)
        if number != 2:  # a supervisor call
            raise RuntimeError("exception %d at 0x%x" % (number, pc))
        word, = struct.unpack("<I", uc.mem_read(pc - 4, 4))
        x = [uc.reg_read(r) for r in X[:6]]
        self.pending = [self.service(word >> 5 & 0xFFFF, x)]

    def service(self, number, x):
        thread = self.current
        if number == 1:
            return self.set_event(x[0])
        if number == 2:
            return self.wait(thread, x[0])
        if number == 3:
            if self.handles.get(x[0]) is None:
                return INVALID_HANDLE
            self.handles[x[0]] = None
        elif number == 4:
            self.memory.write(x[0], struct.pack("<Q", self.new_handle("Event", access=x[1], state=x[4])))
        elif number == 5:
            self.raised(thread, x[0], x[1])
        elif number == 6:
            self.yielded, self.last_yield = True, thread
            self.slept()
        elif number == 7:
            size = (x[0] + 0xFFF) & -PAGE
            self.memory.add(self.next_allocation, size, PRIVATE)
            self.memory.write(x[1], struct.pack("<Q", self.next_allocation))
            self.next_allocation += (size + 0xFFFF) & -0x10000
        elif number == 8:
            thread.waits_for = ("address", x[0])
        elif number == 9:
            sleeper = next((t for t in self.threads if t.waits_for == ("address", x[0])), None)
            if sleeper:
                sleeper.waits_for = None
        elif number == 10:
            thread.is_done = True
        elif number == 11:
            self.new_thread(x[0], x[1])
            self.memory.write(x[2], struct.pack("<Q", self.new_handle("Thread", access=0x1FFFFF)))
        elif number == 12:
            self.memory.remove(x[0])
        elif number == 13:
            self.memory.write(x[0], struct.pack("<Q", self.new_handle("File", "\\Device\\HarddiskVolume3\\ProgramData\\Contoso\\jobs.log", 0x120089)))
        elif number == 14:
            self.map_shared()
            self.memory.write(x[0], struct.pack("<Q", SHARED))
        elif number == 100:
            self.section, self.handle = x[0], x[1]
            return x[0]
        elif number == 101:
            self.race = x[0]
            return x[0]
        else:
            raise RuntimeError("service %d" % number)
        return 0

    def set_event(self, handle):
        entry = self.handles.get(handle)
        if entry is None:
            return INVALID_HANDLE
        if entry["type"] != "Event":
            return TYPE_MISMATCH
        if not entry["access"] & 2:
            return ACCESS_DENIED
        sleeper = next((t for t in self.threads if t.waits_for and t.waits_for == ("event", id(entry))), None)
        if sleeper:
            sleeper.waits_for = None
        else:
            entry["signaled"] = True
        return 0

    def wait(self, thread, handle):
        entry = self.handles.get(handle)
        if entry is None:
            return INVALID_HANDLE
        if entry["signaled"]:
            entry["signaled"] = False
        else:
            # The wait is for the object: closing the handle does not end it.
            self.kept = getattr(self, "kept", []) + [entry]
            thread.waits_for = ("event", id(entry))
        return 0

    def map_shared(self):
        """A view of a section object that another process has made and initialised a lock in."""
        self.memory.add(SHARED, PAGE, MAPPED)
        self.memory.write(SHARED, struct.pack("<QiiQQQ", 0x2A1F3C08B40, -1, 0, 0, 0, 0x20007D0))

    def slept(self):
        """A thread of the other process comes to wait: it counts itself and makes an event, in its own process."""
        if not any(r[0] == SHARED for r in self.memory.regions):
            return
        lock_count, = struct.unpack("<i", self.memory.read(SHARED + 8, 4))
        self.memory.write(SHARED + 8, struct.pack("<i", lock_count - 4))
        self.memory.write(SHARED + 0x18, struct.pack("<Q", 0x1D8))

    # ---- the crash -------------------------------------------------------------------------------------------------

    def raised(self, thread, record, context):
        self.record = self.memory.read(record, 152)
        self.context = self.memory.read(context, CONTEXT_SIZE)
        self.save(thread)
        # The call that led to the service: its own frame is the one of the context.
        self.crashed = thread
        # RtlCaptureContext returned into the same frame that calls NtRaiseException.
        self.calls = thread.calls[:-1]
        raise Crash

    def fault(self, thread):
        """An access the processor refused: what the kernel makes of it."""
        word, = struct.unpack("<I", self.memory.read(thread.pc, 4))
        is_store = not word >> 22 & 1 if word & 0x3F000000 != 0x08000000 else not word >> 22 & 1
        base = thread.sp if (word >> 5 & 31) == 31 else thread.registers[word >> 5 & 31]
        offset = 0
        if word & 0x3B000000 == 0x39000000:
            offset = (word >> 10 & 0xFFF) << (word >> 30)
        elif word & 0x3B200000 == 0x38000000:
            offset = word >> 12 & 0x1FF
            offset -= 0x200 if offset & 0x100 else 0
        parameters = [1 if is_store else 0, (base + offset) & 0xFFFFFFFFFFFFFFFF]
        self.record = struct.pack("<IIQQII15Q", ACCESS_VIOLATION, 0, 0, thread.pc, 2, 0, *(parameters + [0] * 13))
        self.context = context_of(thread)
        self.crashed, self.calls = thread, thread.calls
        raise Crash


def context_of(thread):
    data = bytearray(CONTEXT_SIZE)
    struct.pack_into("<II", data, 0, 0x400007, thread.flags & 0xFFFFFFFF)
    struct.pack_into("<31Q", data, 8, *thread.registers)
    struct.pack_into("<QQ", data, 0x100, thread.sp, thread.pc)
    for i, value in enumerate(thread.vectors):
        data[0x110 + 16 * i:0x120 + 16 * i] = value.to_bytes(16, "little")
    return data


def truth(process):
    """The frames of the crashing thread: pc, sp, x19 to x28, fp of each, innermost first."""
    def frame(pc, registers, sp):
        return dict([("pc", pc), ("sp", sp)] + [("x%d" % i, registers[i]) for i in range(19, 29)] + [("fp", registers[29])])
    context = process.context
    registers = struct.unpack_from("<31Q", context, 8)
    sp, pc = struct.unpack_from("<QQ", context, 0x100)
    return [frame(pc, registers, sp)] + [frame(*call) for call in reversed(process.calls)]
