//! A process that uses resources on request: this test binary, started again.
//!
//! It obeys lines on its standard input and answers each with a line on its
//! standard output. It ends when its input ends, so with whoever started it.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::ExitStatusExt,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

pub(crate) const MIB: u64 = 1 << 20;

/// Begins every answer; the harness prints lines of its own.
const ANSWER: &str = "helper: ";

/// The signal that cannot be refused.
const KILL: i32 = 9;

pub(crate) struct Helper {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Helper {
    pub(crate) fn start() -> Self {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "helper::obey", "--ignored", "--nocapture"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let input = child.stdin.take().unwrap();
        let output = BufReader::new(child.stdout.take().unwrap());
        let mut helper = Self {
            child,
            input,
            output,
        };
        helper.ask("hello");
        helper
    }

    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Tells it to do something and does not wait.
    pub(crate) fn say(&mut self, request: &str) {
        writeln!(self.input, "{request}").unwrap();
    }

    /// Tells it to do something and waits until it is done.
    pub(crate) fn ask(&mut self, request: &str) {
        self.say(request);
        let mut line = String::new();
        loop {
            line.clear();
            let length = self.output.read_line(&mut line).unwrap();
            assert_ne!(length, 0, "the helper ended during `{request}`");
            if let Some((_, answer)) = line.trim().split_once(ANSWER) {
                return assert_eq!(answer, "done", "{request}");
            }
        }
    }

    /// Waits for its end; whether it was killed.
    pub(crate) fn is_killed(&mut self) -> bool {
        self.child.wait().unwrap().signal() == Some(KILL)
    }
}

impl Drop for Helper {
    fn drop(&mut self) {
        // It may have ended already.
        drop(self.child.kill());
        drop(self.child.wait());
    }
}

#[test]
#[ignore = "the other process of the tests beside it, which start it"]
fn obey() {
    let mut hog = Vec::new();
    let mut memory = Vec::new();
    for line in io::stdin().lines().map_while(Result::ok) {
        let mut words = line.split(' ');
        let request = words.next().unwrap();
        let number: u64 = words.next().map_or(0, |text| text.parse().unwrap());
        let path = words.next().unwrap_or_default();
        let done = match request {
            "hello" => Ok(()),
            // Not zero: zeros can be had without memory.
            "hog" => Ok(hog = vec![0x5a_u8; usize::try_from(number * MIB).unwrap()]),
            "free" => Ok(hog = Vec::new()),
            "write" => File::create(path).and_then(|file| fill(file, number)),
            "read" => (0..number).try_for_each(|_| read(path)),
            "tmpfs" => tmpfs(number).map(|file| memory.push(file)),
            "spin" => Ok(spin(Duration::from_millis(number))),
            other => panic!("no such request: {other}"),
        };
        let answer = done.map_or_else(|error| error.to_string(), |()| "done".to_owned());
        writeln!(io::stdout(), "\n{ANSWER}{answer}").unwrap();
        assert!(hog.iter().step_by(4096).all(|byte| *byte == 0x5a));
    }
}

/// Writes so many MiB and waits until they are on the disk.
fn fill(mut file: File, mebibytes: u64) -> io::Result<()> {
    let block = vec![0xa5; usize::try_from(MIB).unwrap()];
    (0..mebibytes).try_for_each(|_| file.write_all(&block))?;
    file.sync_all()
}

/// A file that is in memory only.
fn tmpfs(mebibytes: u64) -> io::Result<File> {
    let file = rustix::fs::memfd_create("zerogate-test", rustix::fs::MemfdFlags::CLOEXEC)?;
    let file = File::from(file);
    fill(file.try_clone()?, mebibytes)?;
    Ok(file)
}

fn read(path: &str) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut block = vec![0; usize::try_from(MIB).unwrap()];
    while file.read(&mut block)? > 0 {}
    Ok(())
}

fn spin(time: Duration) {
    let end = Instant::now() + time;
    while Instant::now() < end {
        std::hint::spin_loop();
    }
}
