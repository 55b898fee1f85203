//! Runs one command with its output thrown away and prints `WALL CPU KIB STATUS`: nanoseconds from spawn to exit,
//! nanoseconds of CPU (user and system), peak resident memory (ru_maxrss), exit code or minus the signal.
//!
//! A program of its own because Linux counts the memory of the process that spawns into its child's ru_maxrss
//! (exec_mmap in fs/exec.c): started by Python, nothing could measure below Python's own 10 MB.
use std::os::unix::process::ExitStatusExt;
use std::process::{Command, ExitStatus, Stdio};
use std::time::Instant;

/// `struct rusage` of 64-bit Linux, 18 longs: ru_utime and ru_stime as seconds and microseconds, then ru_maxrss in
/// KiB (getrusage(2)).
type Rusage = [i64; 18];

unsafe extern "C" {
    fn wait4(pid: i32, status: *mut i32, options: i32, usage: *mut Rusage) -> i32;
}

fn main() {
    let mut words = std::env::args_os().skip(1);
    let program = words.next().expect("usage: measure PROGRAM ARGUMENTS...");
    let mut command = Command::new(program);
    command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let start = Instant::now();
    let child = command.spawn().expect("cannot start the program");
    let (mut status, mut usage) = (0, [0; 18]);
    // SAFETY: both pointers are to live values of the types that wait4(2) writes.
    let waited = unsafe { wait4(child.id() as i32, &mut status, 0, &mut usage) };
    let elapsed = start.elapsed().as_nanos();
    assert_eq!(waited, child.id() as i32, "wait4 failed");
    let status = ExitStatus::from_raw(status);
    let code = status.code().unwrap_or_else(|| -status.signal().unwrap_or(0));
    let [user_s, user_us, system_s, system_us, maxrss, ..] = usage;
    let cpu = (user_s + system_s) * 1_000_000_000 + (user_us + system_us) * 1000;
    println!("{elapsed} {cpu} {maxrss} {code}");
}
