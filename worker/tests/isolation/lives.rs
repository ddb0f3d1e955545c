//! The lives of children: reused, recycled, killed by others; gone with their worker.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::Arc,
    thread,
};

use serde_json::json;
use shared::model::ErrorCode;
use worker::isolation::{ARGUMENT, Options, Outcome, Pool, Program};

use crate::stand::{
    BOUNDS, MIB, Watcher, failure, is_alive, job, kill, options, pool, program, run, until,
};

#[test]
fn a_child_is_started_when_needed_and_reused() {
    let pool = pool();
    assert_eq!(pool.idle(), 0, "nothing starts before there is work");
    let watcher = Watcher::default();
    for n in 0..20 {
        let outcome = pool.run(&job(json!({"do": "echo", "n": n})), &watcher);
        assert_eq!(outcome.result.unwrap()["n"], n);
        assert_eq!(pool.idle(), 1);
    }
    let pids = watcher.pids();
    assert!(pids.len() == 20 && pids.iter().all(|pid| *pid == pids[0]));
    drop(pool);
    assert!(!is_alive(pids[0]), "a child ends with its pool");
}

#[test]
fn a_child_ends_after_so_many_runs() {
    let pool = Pool::new(Options {
        runs_max: 3,
        ..options()
    })
    .unwrap();
    let idle: Vec<_> = (0..7)
        .map(|_| {
            run(&pool, &job(json!({"do": "echo"}))).result.unwrap();
            pool.idle()
        })
        .collect();
    assert_eq!(idle, [1, 1, 0, 1, 1, 0, 1]);
}

#[test]
fn no_more_children_wait_than_there_are_slots() {
    let pool = Pool::new(Options {
        idle_max: 2,
        ..options()
    })
    .unwrap();
    let at_once: Vec<_> = (0..4)
        .map(|_| {
            let pool = pool.clone();
            thread::spawn(move || run(&pool, &job(json!({"do": "spin", "ms": 300}))))
        })
        .collect();
    for one in at_once {
        one.join().unwrap().result.unwrap();
    }
    assert!(pool.idle() <= 2);
}

#[test]
fn a_child_inherits_nothing_and_is_the_kernels_first_victim() {
    let (pool, watcher) = (pool(), Watcher::default());
    pool.run(&job(json!({"do": "echo"})), &watcher)
        .result
        .unwrap();
    let pid = watcher.pids()[0];
    let read = |name: &str| fs::read_to_string(format!("/proc/{pid}/{name}")).unwrap();
    let environment = read("environ");
    let inherited = environment
        .split('\0')
        .find(|one| !one.is_empty() && !one.starts_with("MALLOC_"));
    assert_eq!(inherited, None, "the fleet's passwords stand there");
    assert_eq!(read("oom_score_adj").trim(), "800");
    let limits = read("limits");
    let soft = |name: &str| {
        let line = limits
            .lines()
            .find_map(|line| line.strip_prefix(name))
            .unwrap();
        line.split_whitespace().next().unwrap().to_owned()
    };
    assert_eq!(soft("Max core file size"), "0");
    assert_eq!(soft("Max open files"), "64");
    let status = read("status");
    assert!(status.contains("\nUmask:\t0077\n"), "{status}");
    if cfg!(any(target_arch = "x86_64", target_arch = "aarch64")) {
        assert!(status.contains("\nSeccomp:\t2\n"), "{status}");
    }
}

/// Runs something long and kills the first `kills` children that do.
fn run_and_kill(kills: usize, ms: u64) -> (Outcome, Vec<u32>) {
    let (pool, watcher) = (pool(), Arc::new(Watcher::default()));
    let theirs = Arc::clone(&watcher);
    let running = thread::spawn(move || pool.run(&job(json!({"do": "spin", "ms": ms})), &*theirs));
    for nth in 0..kills {
        kill(until("a child", || watcher.pids().get(nth).copied()));
    }
    (running.join().unwrap(), watcher.pids())
}

#[test]
fn somebody_who_kills_a_child_costs_a_try_and_not_the_task() {
    let (outcome, pids) = run_and_kill(1, 1000);
    outcome.result.unwrap();
    assert!(pids.len() == 2 && pids[0] != pids[1], "{pids:?}");
    let (outcome, pids) = run_and_kill(2, 60_000);
    assert_eq!(failure(outcome).0, ErrorCode::Internal);
    assert_eq!(pids.len(), 2, "and is not tried for ever");
}

#[test]
fn a_child_that_died_while_it_waited_costs_not_even_a_try() {
    let (pool, watcher) = (pool(), Arc::new(Watcher::default()));
    pool.run(&job(json!({"do": "echo"})), &*watcher)
        .result
        .unwrap();
    let idle = watcher.pids()[0];
    kill(idle);
    until("its end", || (!is_alive(idle)).then_some(()));
    let theirs = Arc::clone(&watcher);
    let running = thread::spawn(move || pool.run(&job(json!({"do": "spin", "ms": 800})), &*theirs));
    kill(until("the next child", || watcher.pids().get(1).copied()));
    running.join().unwrap().result.unwrap();
    assert_eq!(watcher.pids().len(), 3);
}

#[test]
fn a_storm_of_good_and_bad_runs_leaves_nothing_behind() {
    let deeds = [
        (json!({"do": "echo", "n": 1}), true),
        (json!({"do": "spin", "ms": 5}), true),
        (json!({"do": "alloc", "mib": 20}), true),
        (json!({"do": "flood", "bytes": 100_000}), true),
        (json!({"do": "panic"}), false),
        (json!({"do": "abort"}), false),
        (json!({"do": "overflow"}), false),
        (json!({"do": "alloc", "mib": 9_000}), false),
        (json!({"do": "big", "bytes": 3 * MIB}), false),
    ];
    let (pool, watcher) = (pool(), Arc::new(Watcher::default()));
    let storms: Vec<_> = (0..4_usize)
        .map(|thread| {
            let (pool, watcher, deeds) = (pool.clone(), Arc::clone(&watcher), deeds.clone());
            thread::spawn(move || {
                for turn in 0..27 {
                    let (input, good) = &deeds[(thread * 7 + turn * 5) % deeds.len()];
                    let outcome = pool.run(&job(input.clone()), &*watcher);
                    assert_eq!(
                        outcome.result.is_ok(),
                        *good,
                        "{input}: {:?}",
                        outcome.result
                    );
                }
            })
        })
        .collect();
    for storm in storms {
        storm.join().unwrap();
    }
    assert!(pool.idle() <= 4);
    drop(pool);
    let left: Vec<_> = watcher
        .pids()
        .into_iter()
        .filter(|pid| exists(*pid))
        .collect();
    assert!(
        left.is_empty(),
        "neither children nor their remains: {left:?}"
    );
}

/// Whether there is such a process, dead ones that nobody waited for included.
fn exists(pid: u32) -> bool {
    Path::new(&format!("/proc/{pid}")).exists()
}

/// A child whose worker is this test, without a pool.
fn alone() -> Child {
    let mut command = Command::new(program());
    command.arg(ARGUMENT).stdin(Stdio::piped());
    let mut child = command
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut greeting = BufReader::new(child.stdout.take().unwrap());
    assert!(!greeting.fill_buf().unwrap().is_empty(), "it greets");
    child
}

#[test]
fn a_child_ends_when_its_pipe_closes_or_holds_rubbish() {
    let mut child = alone();
    drop(child.stdin.take());
    let status = until("its end", || child.try_wait().unwrap());
    assert!(status.success(), "{status}");
    let mut child = alone();
    let mut pipe = child.stdin.take().unwrap();
    pipe.write_all(&[0xff; 64]).unwrap();
    let status = until("its end", || child.try_wait().unwrap());
    assert_eq!(status.code(), Some(1));
}

#[test]
fn a_program_that_does_not_serve_is_named_as_the_fault() {
    for program in ["/bin/true", "/bin/cat"] {
        let pool = Pool::new(Options {
            program: Program::at(program),
            ..Options::default()
        })
        .unwrap();
        let (code, message) = failure(run(&pool, &job(json!({"do": "echo"}))));
        assert_eq!(code, ErrorCode::Internal);
        assert!(message.contains("serve_if_asked"), "{message}");
    }
}

/// A control group with a memory limit, as far as this machine has any.
struct Cage(PathBuf);

impl Cage {
    fn new(bytes: u64) -> Option<Self> {
        let name = format!("zerogate-test-{}", std::process::id());
        let (v1, v2) = (
            Path::new("/sys/fs/cgroup/memory"),
            Path::new("/sys/fs/cgroup"),
        );
        for (mount, limit) in [(v1, "memory.limit_in_bytes"), (v2, "memory.max")] {
            let path = mount.join(&name);
            if fs::create_dir(&path).is_ok() {
                let cage = Self(path);
                if fs::write(cage.0.join(limit), bytes.to_string()).is_ok() {
                    return Some(cage);
                }
            }
        }
        None
    }

    /// A program that enters the cage and becomes a child.
    fn program(&self, folder: &Path) -> Program {
        let path = folder.join("caged");
        let (procs, program) = (self.0.join("cgroup.procs"), program());
        let text = format!(
            "#!/bin/sh\necho $$ > {}\nexec {} \"$1\"\n",
            procs.display(),
            program.display()
        );
        fs::write(&path, text).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o700)).unwrap();
        Program::at(path)
    }
}

impl Drop for Cage {
    fn drop(&mut self) {
        fs::remove_dir(&self.0).ok();
    }
}

#[test]
fn the_kernels_kill_for_want_of_memory_makes_a_suspect() {
    let Some(cage) = Cage::new(48 * MIB) else {
        eprintln!(
            "SKIPPED: no control group with a memory limit can be made here (needs root and its controller)"
        );
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let pool = Pool::new(Options {
        program: cage.program(folder.path()),
        ..Options::default()
    })
    .unwrap();
    let watcher = Watcher::default();
    const {
        assert!(
            BOUNDS.memory_bytes > 48 * MIB,
            "the kernel's bound must be the nearer one"
        );
    };
    let outcome = pool.run(&job(json!({"do": "alloc", "mib": 100})), &watcher);
    let (code, message) = failure(outcome);
    assert_eq!(code, ErrorCode::OomSuspect, "{message}");
    assert_eq!(watcher.pids().len(), 2, "it had a second try, alone");
    pool.run(&job(json!({"do": "alloc", "mib": 8})), &watcher)
        .result
        .unwrap();
    drop(pool);
}
