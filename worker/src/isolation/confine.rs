//! What a child gives up for its whole life before it reads its first order.
//!
//! Invariant: a part that the system does not have is left out, and never stops the child: its limits and its death
//! remain. The filter names what is forbidden, not what is allowed, because readers are ordinary code: it keeps a
//! reader that was talked into it from reaching the network, other processes and other programs.

use std::fs;

use rustix::{
    fs::Mode,
    process::{Signal, set_parent_process_death_signal, umask},
};

/// The kernel ends a child before any worker: it holds one task and comes back at once.
const OOM_SCORE: &str = "800";

/// Confines this process. Called before any other thread exists, because threads inherit the filter.
pub(super) fn settle() {
    umask(Mode::RWXG | Mode::RWXO);
    // The signal follows the worker's thread that started this child; that one lives as long as the pool.
    set_parent_process_death_signal(Some(Signal::KILL)).ok();
    fs::write("/proc/self/oom_score_adj", OOM_SCORE).ok();
    super::limits::for_life();
    // A panic's text may quote the input; it is reported, if it may be, and never printed.
    std::panic::set_hook(Box::new(|_| {}));
    filter::install();
}

#[cfg(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
))]
mod filter {
    //! System calls that no reader of files needs.

    use std::collections::BTreeMap;

    use seccompiler::{
        BpfProgram, Error, SeccompAction, SeccompCmpArgLen as Length, SeccompCmpOp as Is,
        SeccompCondition, SeccompFilter, SeccompRule,
    };

    /// Network, programs, other processes, namespaces, and the ways around a filter (`io_uring` has its own system
    /// calls inside).
    const FORBIDDEN: &[i64] = &[
        libc::SYS_socket,
        libc::SYS_socketpair,
        libc::SYS_connect,
        libc::SYS_bind,
        libc::SYS_listen,
        libc::SYS_accept,
        libc::SYS_accept4,
        libc::SYS_sendto,
        libc::SYS_sendmsg,
        libc::SYS_sendmmsg,
        libc::SYS_recvfrom,
        libc::SYS_recvmsg,
        libc::SYS_recvmmsg,
        libc::SYS_execve,
        libc::SYS_execveat,
        libc::SYS_kill,
        libc::SYS_tkill,
        libc::SYS_rt_sigqueueinfo,
        libc::SYS_pidfd_open,
        libc::SYS_pidfd_getfd,
        libc::SYS_pidfd_send_signal,
        libc::SYS_ptrace,
        libc::SYS_process_vm_readv,
        libc::SYS_process_vm_writev,
        libc::SYS_io_uring_setup,
        libc::SYS_unshare,
        libc::SYS_setns,
        libc::SYS_mount,
        libc::SYS_umount2,
        libc::SYS_pivot_root,
        libc::SYS_chroot,
        libc::SYS_bpf,
        libc::SYS_perf_event_open,
        libc::SYS_userfaultfd,
        libc::SYS_keyctl,
        libc::SYS_add_key,
        libc::SYS_request_key,
        libc::SYS_init_module,
        libc::SYS_finit_module,
        libc::SYS_kexec_load,
        libc::SYS_open_by_handle_at,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_fork,
        #[cfg(target_arch = "x86_64")]
        libc::SYS_vfork,
    ];

    pub(super) fn install() {
        for program in [forbidden(), absent()].into_iter().flatten() {
            seccompiler::apply_filter(&program).ok();
        }
    }

    /// Answers `EPERM`. Threads may be made, processes not; limits may be set for this process, not for another.
    fn forbidden() -> Result<BpfProgram, Error> {
        let mut rules: BTreeMap<_, Vec<SeccompRule>> =
            FORBIDDEN.iter().map(|call| (*call, Vec::new())).collect();
        let thread = u64::from(libc::CLONE_THREAD.unsigned_abs());
        let process = SeccompCondition::new(0, Length::Qword, Is::MaskedEq(thread), 0)?;
        rules.insert(libc::SYS_clone, vec![SeccompRule::new(vec![process])?]);
        let another = SeccompCondition::new(0, Length::Dword, Is::Ne, 0)?;
        rules.insert(libc::SYS_prlimit64, vec![SeccompRule::new(vec![another])?]);
        program(rules, libc::EPERM)
    }

    /// `clone3` hides its flags from a filter; a C library that hears `ENOSYS` takes `clone`.
    fn absent() -> Result<BpfProgram, Error> {
        program([(libc::SYS_clone3, Vec::new())].into(), libc::ENOSYS)
    }

    fn program(
        rules: BTreeMap<i64, Vec<SeccompRule>>,
        errno: libc::c_int,
    ) -> Result<BpfProgram, Error> {
        let refuse = SeccompAction::Errno(errno.unsigned_abs());
        let machine = std::env::consts::ARCH.try_into()?;
        let filter = SeccompFilter::new(rules, SeccompAction::Allow, refuse, machine)?;
        Ok(filter.try_into()?)
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn the_filters_can_be_compiled() {
            assert!(super::forbidden().unwrap().len() > super::FORBIDDEN.len());
            assert!(!super::absent().unwrap().is_empty());
        }
    }
}

#[cfg(not(all(
    target_os = "linux",
    any(target_arch = "x86_64", target_arch = "aarch64")
)))]
mod filter {
    //! Without seccomp, or on a machine whose calls are not named here, there is no filter.
    pub(super) fn install() {}
}
