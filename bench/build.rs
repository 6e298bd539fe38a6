//! Finds the peers that are written in C. Without their development packages they are left out.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    for (library, packages) in [("libuv", &["libuv"][..]), ("libevent", &["libevent_core", "libevent_pthreads"])] {
        if packages.iter().all(|package| pkg_config::probe_library(package).is_ok()) {
            println!("cargo::rustc-cfg={library}");
        }
    }
}
