//! Loaded before libc into a process: `fsync` fails while the file `$DISK_FAULT.sync` is there, and
//! writing to files while `$DISK_FAULT.space` is.
//!
//! A library of its own, compiled by the test; no part of the crate.

use std::ffi::{CString, c_char, c_int, c_long, c_void};
use std::sync::OnceLock;

const EIO: c_int = 5;
const ENOSPC: c_int = 28;
/// Of `stat`: a regular file.
const REGULAR: u32 = 0o100_000;
const KIND: u32 = 0o170_000;

#[cfg(target_arch = "x86_64")]
mod number {
    pub const WRITE: i64 = 1;
    pub const PWRITE: i64 = 18;
    pub const FSYNC: i64 = 74;
    pub const FDATASYNC: i64 = 75;
}
#[cfg(target_arch = "aarch64")]
mod number {
    pub const WRITE: i64 = 64;
    pub const PWRITE: i64 = 68;
    pub const FSYNC: i64 = 82;
    pub const FDATASYNC: i64 = 83;
}

unsafe extern "C" {
    fn syscall(number: c_long, ...) -> c_long;
    fn access(path: *const c_char, mode: c_int) -> c_int;
    fn __errno_location() -> *mut c_int;
}

fn path(of: &'static OnceLock<Option<CString>>, suffix: &str) -> Option<&'static CString> {
    let made = of.get_or_init(|| {
        let base = std::env::var("DISK_FAULT").ok()?;
        CString::new(format!("{base}.{suffix}")).ok()
    });
    made.as_ref()
}

fn is_ordered(path: Option<&CString>) -> bool {
    // SAFETY: the path ends with a zero and lives as long as the process.
    path.is_some_and(|path| unsafe { access(path.as_ptr(), 0) } == 0)
}

fn sync_fails() -> bool {
    static PATH: OnceLock<Option<CString>> = OnceLock::new();
    is_ordered(path(&PATH, "sync"))
}

/// Only files fill a disk: sockets, pipes and the log don't.
fn space_fails(file: c_int) -> bool {
    static PATH: OnceLock<Option<CString>> = OnceLock::new();
    is_ordered(path(&PATH, "space")) && is_file(file)
}

fn is_file(file: c_int) -> bool {
    let link = std::fs::metadata(format!("/proc/self/fd/{file}"));
    use std::os::unix::fs::MetadataExt;
    link.is_ok_and(|found| found.mode() & KIND == REGULAR)
}

fn failed(code: c_int) -> isize {
    // SAFETY: libc gives each thread a place for its newest error.
    unsafe { *__errno_location() = code };
    -1
}

#[unsafe(no_mangle)]
pub extern "C" fn fsync(file: c_int) -> c_int {
    if sync_fails() {
        return failed(EIO) as c_int;
    }
    // SAFETY: as the caller's call.
    unsafe { syscall(number::FSYNC, file) as c_int }
}

#[unsafe(no_mangle)]
pub extern "C" fn fdatasync(file: c_int) -> c_int {
    if sync_fails() {
        return failed(EIO) as c_int;
    }
    // SAFETY: as the caller's call.
    unsafe { syscall(number::FDATASYNC, file) as c_int }
}

#[unsafe(no_mangle)]
pub extern "C" fn write(file: c_int, from: *const c_void, length: usize) -> isize {
    if space_fails(file) {
        return failed(ENOSPC);
    }
    // SAFETY: as the caller's call.
    unsafe { syscall(number::WRITE, file, from, length) as isize }
}

#[unsafe(no_mangle)]
pub extern "C" fn pwrite(file: c_int, from: *const c_void, length: usize, at: i64) -> isize {
    if space_fails(file) {
        return failed(ENOSPC);
    }
    // SAFETY: as the caller's call.
    unsafe { syscall(number::PWRITE, file, from, length, at) as isize }
}

#[unsafe(no_mangle)]
pub extern "C" fn pwrite64(file: c_int, from: *const c_void, length: usize, at: i64) -> isize {
    pwrite(file, from, length, at)
}
