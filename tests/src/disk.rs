//! Small disks that can be filled to the last byte: file systems in memory, seen by this program
//! and its children only.

use std::ffi::CString;
use std::fs::{self, File};
use std::io::{ErrorKind, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use tempfile::TempDir;

/// Makes all mounts from here on private to this program and what it starts: they are gone with it,
/// however it ends. Call before any thread is started. The error says why that is not possible
/// here.
pub fn keep_mounts_private() -> Result<()> {
    // SAFETY: both calls change the view of this thread only; the strings are literals that end
    // with NUL.
    let done = unsafe {
        libc::unshare(libc::CLONE_NEWNS) == 0
            && libc::mount(
                std::ptr::null(),
                c"/".as_ptr(),
                std::ptr::null(),
                libc::MS_REC | libc::MS_PRIVATE,
                std::ptr::null(),
            ) == 0
    };
    if done {
        return Ok(());
    }
    Err(std::io::Error::last_os_error()).context("this user may not mount")
}

/// A mounted file system. Dropping it unmounts it.
pub struct Disk {
    dir: TempDir,
    target: CString,
}

impl Disk {
    /// Mounts an empty disk of so many megabytes.
    pub fn of_megabytes(size: usize) -> Result<Disk> {
        let dir = tempfile::Builder::new().prefix("logwatch-disk-").tempdir()?;
        let target = CString::new(dir.path().as_os_str().as_bytes())?;
        let options = CString::new(format!("size={size}m,mode=0755"))?;
        // SAFETY: all strings end with NUL and live during the call.
        let mounted = unsafe {
            libc::mount(
                c"tmpfs".as_ptr(),
                target.as_ptr(),
                c"tmpfs".as_ptr(),
                0,
                options.as_ptr().cast(),
            )
        };
        if mounted != 0 {
            return Err(std::io::Error::last_os_error()).context("mounting a small disk");
        }
        Ok(Disk { dir, target })
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    fn ballast(&self) -> PathBuf {
        self.path().join("ballast")
    }

    /// Takes all space that is left.
    pub fn fill(&self) -> Result<()> {
        let mut ballast = File::options().create(true).append(true).open(self.ballast())?;
        let block = vec![0; 1024 * 1024];
        for size in [block.len(), 4096] {
            loop {
                match ballast.write_all(&block[..size]) {
                    Ok(()) => {}
                    Err(error) if error.kind() == ErrorKind::StorageFull => break,
                    Err(error) => return Err(error.into()),
                }
            }
        }
        Ok(())
    }

    /// Gives the space back.
    pub fn empty(&self) -> Result<()> {
        match fs::remove_file(self.ballast()) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(error.into()),
            _ => Ok(()),
        }
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        // SAFETY: a path that ends with NUL; whoever still has a file open there keeps it.
        unsafe { libc::umount2(self.target.as_ptr(), libc::MNT_DETACH) };
    }
}
