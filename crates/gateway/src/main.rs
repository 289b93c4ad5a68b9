//! The binary: hands its arguments to the library.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // With huge pages the allocator's first touch of each of its areas costs 2 MiB: 12 MiB for an idle gateway. First of all, before
    // it has touched much. Where the kernel does not offer it, memory is merely larger.
    #[cfg(target_os = "linux")]
    let _ = nix::sys::prctl::set_thp_disable(true);
    tollgate_gateway::cli::main()
}
