"""Makes big full-memory dumps: a real one whose Memory64List names many more regions.

Everything but the memory is the real dump's. The extra regions have the sizes that heaps, mapped files and images have,
and begin with bytes of the real dump; the rest of each is a hole in the file, so that 4 GB need little disk. Neither
tool reads them, as neither knows an address in them: what they cost is the list, and the mapping of the file.
"""

import struct

MEMORY64_LIST = 9
MIB = 1 << 20
# Sizes of the extra regions, over and over: pages, stacks, small and large heap segments; 0.73 MiB on average.
REGION_SIZES = [size << 10 for size in (4, 8, 64, 4, 256, 1024, 16, 64, 2048, 4096)]
# Bytes of real data at the beginning of each extra region.
FILLED = 64 << 10
# Where x64 processes have nothing: between the low heaps and the images near 0x7ff0'0000'0000.
EXTRA_BASE = 0x0100_0000_0000


class Unsuitable(Exception):
    """The dump cannot be enlarged by this generator."""


def directory_entry(dump, wanted):
    """Offset of the MINIDUMP_DIRECTORY entry (u32 type, u32 size, u32 rva) of a stream."""
    count, rva = struct.unpack_from("<II", dump, 8)
    for offset in range(rva, rva + 12 * count, 12):
        if struct.unpack_from("<I", dump, offset)[0] == wanted:
            return offset
    raise Unsuitable("it has no Memory64List")


def extra_regions(room):
    """(address, size) of regions that fill `room` bytes, with a free page between neighbours."""
    address, turn = EXTRA_BASE, 0
    while room > 0:
        size = min(REGION_SIZES[turn % len(REGION_SIZES)], room)
        yield address, size
        address += (size + 0x1FFF) & ~0xFFF
        room -= size
        turn += 1


def enlarge(source, target, size):
    """Writes `target`, a dump of about `size` bytes, from the full-memory x64 dump `source`."""
    dump = bytearray(source.read_bytes())
    entry = directory_entry(dump, MEMORY64_LIST)
    _, _, rva = struct.unpack_from("<III", dump, entry)
    count, base_rva = struct.unpack_from("<QQ", dump, rva)
    ranges = [struct.unpack_from("<QQ", dump, rva + 16 + 16 * index) for index in range(count)]
    if base_rva + sum(length for _, length in ranges) != len(dump):
        raise Unsuitable("its memory is not at the end of the file")
    if any(base < EXTRA_BASE + 2 * size and base + length > EXTRA_BASE for base, length in ranges):
        raise Unsuitable("it has memory where the extra regions go")
    extra = list(extra_regions(size - len(dump)))
    new_base = base_rva + 16 + 16 * (count + len(extra))
    struct.pack_into("<III", dump, entry, MEMORY64_LIST, new_base - base_rva, base_rva)
    memory = bytes(dump[base_rva:])
    with open(target, "wb") as file:
        file.write(dump[:base_rva])
        file.write(struct.pack("<QQ", count + len(extra), new_base))
        for base, length in ranges + extra:
            file.write(struct.pack("<QQ", base, length))
        file.write(memory)
        position = file.tell()
        for index, (_, length) in enumerate(extra):
            file.seek(position)
            start = index * FILLED % max(1, len(memory) - FILLED)
            file.write(memory[start : start + min(FILLED, length)])
            position += length
        file.truncate(position)
