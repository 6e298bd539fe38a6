//! Through shared memory the test and its victim tell each other where they are, without a system call that the fault could
//! hit.

use std::fs::OpenOptions;
use std::os::fd::AsRawFd;
use std::path::Path;
use std::ptr;
use std::sync::atomic::{AtomicU32, Ordering};

#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Scene {
    Start,
    /// The victim waits for the tracer.
    Ready,
    /// The tracer makes calls fail.
    Fault,
    /// The victim waits for the tracer to leave.
    Over,
    Aftermath,
    End,
}

const SCENES: [Scene; 6] = [Scene::Start, Scene::Ready, Scene::Fault, Scene::Over, Scene::Aftermath, Scene::End];

pub(crate) struct Stage {
    scene: *const AtomicU32,
}

impl Stage {
    pub(crate) fn create(path: &Path) -> Stage {
        std::fs::write(path, 0_u32.to_ne_bytes()).unwrap();
        Stage::open(path)
    }

    pub(crate) fn open(path: &Path) -> Stage {
        let file = OpenOptions::new().read(true).write(true).open(path).unwrap();
        let (size, access) = (size_of::<AtomicU32>(), libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: this makes a new mapping, which is never unmapped, wherever there is room.
        let scene = unsafe { libc::mmap(ptr::null_mut(), size, access, libc::MAP_SHARED, file.as_raw_fd(), 0) };
        assert_ne!(scene, libc::MAP_FAILED);
        Stage { scene: scene.cast() }
    }

    pub(crate) fn set(&self, scene: Scene) {
        self.cell().store(scene as u32, Ordering::SeqCst);
    }

    pub(crate) fn scene(&self) -> Scene {
        SCENES[self.cell().load(Ordering::SeqCst) as usize]
    }

    fn cell(&self) -> &AtomicU32 {
        // SAFETY: this points to a mapping that is never unmapped, is large enough, and begins at a page boundary.
        unsafe { &*self.scene }
    }
}
