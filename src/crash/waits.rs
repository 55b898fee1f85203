//! What the other threads hold where a wait keeps its section: their registers and the tops of their stacks, read
//! once for all who ask.

use super::stack::Scene;
use crate::critsec::layout::Layout;
use crate::dump::Thread;
use crate::dump::memory::PointerWidth;
use crate::image::registers::RegisterFile;

/// Most threads read.
pub const MAX_THREADS: usize = 512;
/// Bytes at the top of a waiting thread's stack in which its wait keeps the section's address.
pub const WAIT_DEPTH: u64 = 0x400;

/// What one thread holds.
#[derive(Debug, Clone)]
pub struct Held {
    /// Its id.
    pub thread_id: u32,
    /// The values of its registers.
    pub registers: Vec<u64>,
    /// The pointer-sized words at the top of its stack, from the stack pointer on.
    pub stack: Vec<u64>,
}

impl Held {
    fn read(scene: Scene<'_, '_>, thread: &Thread) -> Option<Self> {
        let width = scene.dump.system.pointer_width;
        let registers = thread.context.as_ref().and_then(RegisterFile::from_context)?;
        let sp = registers.sp();
        let words = WAIT_DEPTH.checked_div(width.bytes()).unwrap_or(0);
        let stack = (0..words).map_while(|index| {
            let slot = sp?.checked_add(index.checked_mul(width.bytes())?)?;
            scene.dump.memory.pointer(slot, width)
        });
        Some(Self {
            thread_id: thread.id,
            stack: stack.collect(),
            registers: registers.known().map(|(_, value, _)| value).collect(),
        })
    }

    /// Registers and stack.
    pub fn words(&self) -> impl Iterator<Item = u64> {
        self.registers.iter().chain(&self.stack).copied()
    }

    /// Whether the thread refers to a section: by its address, or by that of its LockCount.
    #[must_use]
    pub fn refers_to(&self, section: u64, width: PointerWidth) -> bool {
        let lock_count = section.saturating_add(Layout::of(width).lock_count);
        self.words().any(|word| word == section || word == lock_count)
    }
}

/// What all threads but the faulting one hold.
#[derive(Debug, Clone, Default)]
pub struct Waits {
    /// One for each thread whose registers are in the dump.
    pub threads: Vec<Held>,
    /// Whether every other thread's registers and the top of its stack are in the dump and were read.
    pub complete: bool,
}

impl Waits {
    /// Reads them, [`MAX_THREADS`] at most.
    #[must_use]
    pub fn read(scene: Scene<'_, '_>) -> Self {
        let faulting = scene.dump.exception.as_ref().map(|stream| stream.thread_id);
        let others = || scene.dump.threads.iter().filter(|thread| Some(thread.id) != faulting);
        let count = others().count();
        if count > MAX_THREADS {
            scene.flows.cut("the search of the other threads' stacks (512 threads)");
        }
        let threads: Vec<Held> =
            others().take(MAX_THREADS).filter_map(|thread| Held::read(scene, thread)).collect();
        let complete =
            threads.len() == count && threads.iter().all(|thread| !thread.stack.is_empty());
        Self { threads, complete }
    }

    /// The threads that refer to a section.
    pub fn at(&self, section: u64, width: PointerWidth) -> impl Iterator<Item = &Held> {
        self.threads.iter().filter(move |thread| thread.refers_to(section, width))
    }
}
