//! Where the control groups of a process are.
//!
//! `/proc/PID/cgroup` names the groups; `mountinfo` tells where their trees are
//! mounted, and which part of a tree: in a container without a namespace of its
//! own the name is the host's while the mount begins at the container's group.
//!
//! Invariant: folders are listed from the own group up to the mount point. A
//! hierarchy that exists and cannot be found is [`Levels::Hidden`], not absent.

use std::path::{Component, Path, PathBuf};

/// Where the system's files are: `/`, or a folder with made-up ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Root(PathBuf);

impl Root {
    /// The system's own.
    #[must_use]
    pub fn real() -> Self {
        Self(PathBuf::from("/"))
    }

    /// A folder that stands for `/`.
    #[must_use]
    pub fn at(folder: impl Into<PathBuf>) -> Self {
        Self(folder.into())
    }

    pub(super) fn join(&self, absolute: impl AsRef<Path>) -> PathBuf {
        let path = absolute.as_ref();
        self.0.join(path.strip_prefix("/").unwrap_or(path))
    }
}

/// Whose control groups are read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Subject {
    /// This process's.
    Own,
    /// Those of another process, as they are now.
    Process(u32),
    /// The groups named, in the form of `/proc/PID/cgroup`.
    Groups(String),
}

impl Subject {
    /// The folder of the process in `/proc`.
    pub(super) fn proc(&self) -> String {
        match self {
            Self::Own | Self::Groups(_) => "/proc/self".to_owned(),
            Self::Process(id) => format!("/proc/{id}"),
        }
    }
}

/// The folders of one hierarchy.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Levels {
    /// There is no such hierarchy.
    None,
    /// There is one, and its folders cannot be found.
    Hidden,
    /// The own group's folder, its parent's, and so on.
    Found(Vec<PathBuf>),
}

impl Levels {
    pub(super) fn folders(&self) -> &[PathBuf] {
        match self {
            Self::None | Self::Hidden => &[],
            Self::Found(folders) => folders,
        }
    }
}

/// The hierarchies that matter, with the own group's folders.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// Version 1, memory.
    pub(super) memory: Levels,
    /// Version 1, quota.
    pub(super) cpu: Levels,
    /// Version 1, processor time.
    pub(super) cpuacct: Levels,
    /// Version 2.
    pub(super) unified: Levels,
}

impl Place {
    pub(super) fn find(root: &Root, subject: &Subject) -> Self {
        let folder = subject.proc();
        let read = |name: &str| std::fs::read_to_string(root.join(format!("{folder}/{name}")));
        let groups = match subject {
            Subject::Groups(text) => text.clone(),
            // A system without the file has no control groups.
            Subject::Own | Subject::Process(_) => read("cgroup").unwrap_or_default(),
        };
        let mounts: Vec<Mount> = read("mountinfo")
            .unwrap_or_default()
            .lines()
            .filter_map(Mount::parse)
            .collect();
        let levels = |controller: &str| {
            group(&groups, controller)
                .map_or(Levels::None, |group| find(root, &mounts, controller, group))
        };
        Self {
            memory: levels("memory"),
            cpu: levels("cpu"),
            cpuacct: levels("cpuacct"),
            unified: levels(""),
        }
    }
}

/// The group of a controller; of version 2 for the empty name.
fn group<'t>(text: &'t str, controller: &str) -> Option<&'t str> {
    text.lines().find_map(|line| {
        let mut parts = line.splitn(3, ':');
        let (_, controllers, path) = (parts.next()?, parts.next()?, parts.next()?);
        controllers
            .split(',')
            .any(|name| name == controller)
            .then_some(path)
    })
}

fn find(root: &Root, mounts: &[Mount], controller: &str, group: &str) -> Levels {
    let outside = Path::new(group)
        .components()
        .any(|part| part == Component::ParentDir);
    if outside {
        return Levels::Hidden;
    }
    let fitting = || mounts.iter().filter(|mount| mount.holds(controller));
    let inside = fitting().find_map(|mount| {
        let rest = Path::new(group).strip_prefix(&mount.root).ok()?;
        let folder = mount.point.join(rest);
        root.join(&folder).is_dir().then_some((mount, folder))
    });
    // A name of the host's and a mount that begins elsewhere: what a container
    // sees is its own group.
    let found = inside.or_else(|| {
        let mount = fitting().find(|mount| root.join(&mount.point).is_dir())?;
        Some((mount, mount.point.clone()))
    });
    found.map_or(Levels::Hidden, |(mount, folder)| {
        let up_to_mount = |level: &&Path| level.starts_with(&mount.point);
        let levels = folder.ancestors().take_while(up_to_mount);
        Levels::Found(levels.map(|level| root.join(level)).collect())
    })
}

/// A mounted tree of control groups.
#[derive(Clone, Debug)]
struct Mount {
    /// The group at which it begins.
    root: PathBuf,
    point: PathBuf,
    /// The controllers of a version 1 tree; empty for version 2.
    options: Option<String>,
}

impl Mount {
    /// A line of `mountinfo`: `id parent device root point options... -
    /// type source options`.
    fn parse(line: &str) -> Option<Self> {
        let (mount, system) = line.split_once(" - ")?;
        let mut system = system.split(' ');
        let options = match system.next()? {
            "cgroup" => Some(system.nth(1)?.to_owned()),
            "cgroup2" => None,
            _ => return None,
        };
        let mut mount = mount.split(' ').skip(3);
        Some(Self {
            root: PathBuf::from(unescape(mount.next()?)),
            point: PathBuf::from(unescape(mount.next()?)),
            options,
        })
    }

    fn holds(&self, controller: &str) -> bool {
        match &self.options {
            None => controller.is_empty(),
            Some(options) => options.split(',').any(|option| option == controller),
        }
    }
}

/// `mountinfo` writes blanks and backslashes as three octal digits.
fn unescape(text: &str) -> String {
    [
        ("\\040", " "),
        ("\\011", "\t"),
        ("\\012", "\n"),
        ("\\134", "\\"),
    ]
    .into_iter()
    .fold(text.to_owned(), |text, (code, sign)| {
        text.replace(code, sign)
    })
}
