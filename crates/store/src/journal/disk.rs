//! What the journal asks of a disk: a seam, so that tests can let one fail.

use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::Path;
use std::sync::Arc;

/// Makes segments.
pub(super) trait Disk: Send + Sync {
    /// An empty file, readable by its owner only; one that is there is emptied.
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Medium>>;
    /// A file that is there.
    fn open(&self, path: &Path) -> io::Result<Arc<dyn Medium>>;
    /// Makes what was created in a folder survive a power cut.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
}

/// One segment.
pub(super) trait Medium: Send + Sync {
    /// Writes all of it; when it fails, a part may have been written.
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()>;
    /// Cuts off what stands behind.
    fn truncate(&self, bytes: u64) -> io::Result<()>;
    /// Makes what was written survive a power cut.
    fn sync(&self) -> io::Result<()>;
}

/// The disk of this machine.
pub(super) struct LocalDisk;

impl Disk for LocalDisk {
    fn create(&self, path: &Path) -> io::Result<Arc<dyn Medium>> {
        let mut options = OpenOptions::new();
        let file = options.write(true).create(true).truncate(true).mode(0o600).open(path)?;
        Ok(Arc::new(file))
    }

    fn open(&self, path: &Path) -> io::Result<Arc<dyn Medium>> {
        Ok(Arc::new(OpenOptions::new().write(true).open(path)?))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }
}

impl Medium for File {
    fn write_at(&self, bytes: &[u8], offset: u64) -> io::Result<()> {
        self.write_all_at(bytes, offset)
    }

    fn truncate(&self, bytes: u64) -> io::Result<()> {
        self.set_len(bytes)
    }

    fn sync(&self) -> io::Result<()> {
        self.sync_data()
    }
}
