//! What peers are made of: a cache folder, tools of the system, and installs that are whole or not there.
//!
//! Everything comes through package clients by package name. An install writes its marker last; without the marker the folder is
//! made anew.

use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::{self, Deadline};
use crate::shell;

/// The folder that outlives a run, and where its logs go.
#[derive(Debug, Clone)]
pub(crate) struct Cache {
    root: PathBuf,
}

impl Cache {
    /// `AMQP_INTEROP_CACHE`, else `interop` in cargo's target folder.
    pub(crate) fn open() -> Result<Self, String> {
        let set = std::env::var_os("AMQP_INTEROP_CACHE").filter(|value| !value.is_empty());
        let root = set.map_or_else(
            || shell::target_dir().join("interop"),
            |value| shell::root().join(value),
        );
        std::fs::create_dir_all(root.join("log"))
            .map_err(|error| format!("{}: {error}", root.display()))?;
        Ok(Self { root })
    }

    pub(crate) fn folder(&self, name: &str) -> PathBuf {
        self.root.join(name)
    }

    pub(crate) fn log(&self, name: &str) -> PathBuf {
        self.root.join("log").join(format!("{name}.log"))
    }

    /// Makes the folder `name` with `fill`, unless it is whole already.
    pub(crate) fn install(
        &self,
        name: &str,
        fill: impl FnOnce(&Path) -> Result<(), String>,
    ) -> Result<PathBuf, String> {
        let folder = self.folder(name);
        let marker = folder.join(".installed");
        if marker.is_file() {
            return Ok(folder);
        }
        eprintln!("interop: installing {name} …");
        remove(&folder)?;
        std::fs::create_dir_all(&folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
        fill(&folder)?;
        std::fs::write(&marker, "").map_err(|error| format!("{}: {error}", marker.display()))?;
        Ok(folder)
    }

    /// Runs one step of an install, with a log of its own.
    pub(crate) fn step(
        &self,
        name: &str,
        command: &mut Command,
        deadline: Deadline,
    ) -> Result<(), String> {
        process::run(name, command, &self.log(name), deadline).map(drop)
    }

    /// Sees to it that the system has something, from Debian's packages where it is missing.
    pub(crate) fn need(&self, what: &Need, deadline: Deadline) -> Result<(), String> {
        if what.is_there() {
            return Ok(());
        }
        eprintln!("interop: installing Debian's {} …", what.package);
        let name = format!("apt-{}", what.package);
        let install = || {
            let mut command = Command::new("apt-get");
            command
                .args([
                    "install",
                    "-y",
                    "-q",
                    "--no-install-recommends",
                    what.package,
                ])
                .env("DEBIAN_FRONTEND", "noninteractive");
            self.step(&name, &mut command, deadline)
        };
        // A new machine may have no package lists, or old ones.
        install().or_else(|_| {
            self.step(
                "apt-update",
                Command::new("apt-get").args(["update", "-q"]),
                deadline,
            )?;
            install()
        })?;
        if what.is_there() {
            Ok(())
        } else {
            Err(format!(
                "Debian's {} did not bring {}",
                what.package, what.path
            ))
        }
    }
}

/// A program (by name) or a file (by path) that must be there, and the Debian package that has it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Need {
    pub(crate) path: &'static str,
    pub(crate) package: &'static str,
}

impl Need {
    pub(crate) const fn new(path: &'static str, package: &'static str) -> Self {
        Self { path, package }
    }

    fn is_there(&self) -> bool {
        if self.path.starts_with('/') {
            return Path::new(self.path).exists();
        }
        let path = std::env::var_os("PATH").unwrap_or_default();
        std::env::split_paths(&path).any(|folder| folder.join(self.path).is_file())
    }
}

/// The folder of one run of a peer, new at the start and gone at the end.
#[derive(Debug)]
pub(crate) struct RunFolder(PathBuf);

impl RunFolder {
    /// Makes a folder below `parent` for the peer on this port, and removes those of runs that were killed.
    pub(crate) fn new(parent: &Path, port: u16) -> Result<Self, String> {
        std::fs::create_dir_all(parent)
            .map_err(|error| format!("{}: {error}", parent.display()))?;
        sweep(parent)?;
        let path = parent.join(format!("run-{}-{port}", std::process::id()));
        std::fs::create_dir(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        Ok(Self(path))
    }

    pub(crate) fn path(&self) -> &Path {
        &self.0
    }

    /// The last part of the path.
    pub(crate) fn name(&self) -> String {
        self.0
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned()
    }
}

/// Removes the folders `run-ID-PORT` whose program is gone.
fn sweep(parent: &Path) -> Result<(), String> {
    let entries =
        std::fs::read_dir(parent).map_err(|error| format!("{}: {error}", parent.display()))?;
    for entry in entries.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let id = name
            .strip_prefix("run-")
            .and_then(|rest| rest.split('-').next());
        if id.is_some_and(|id| !Path::new("/proc").join(id).exists()) {
            remove(&entry.path())?;
        }
    }
    Ok(())
}

impl Drop for RunFolder {
    fn drop(&mut self) {
        // What cannot be removed now is removed by the next run that gets the same name.
        drop(remove(&self.0));
    }
}

/// Removes a folder if it is there.
pub(crate) fn remove(folder: &Path) -> Result<(), String> {
    if folder.exists() {
        std::fs::remove_dir_all(folder)
            .map_err(|error| format!("{}: {error}", folder.display()))?;
    }
    Ok(())
}

/// Copies an artifact of Maven Central (`group:name:version:type:classifier`) to a folder.
pub(crate) fn maven(
    cache: &Cache,
    peer: &str,
    artifact: &str,
    folder: &Path,
    deadline: Deadline,
) -> Result<(), String> {
    let mut command = Command::new("mvn");
    command.args([
        "-q",
        "-B",
        "org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy",
    ]);
    command.arg(format!("-Dartifact={artifact}"));
    command
        .arg(format!("-DoutputDirectory={}", folder.display()))
        .current_dir(folder);
    cache.step(&format!("{peer}-download"), &mut command, deadline)
}

/// Unpacks an archive without so many of its outer folders, and removes it.
pub(crate) fn unpack(
    cache: &Cache,
    peer: &str,
    archive: &Path,
    folder: &Path,
    outer: u32,
    deadline: Deadline,
) -> Result<(), String> {
    let mut command = Command::new("tar");
    command.arg("xzf").arg(archive).arg("-C").arg(folder);
    command.arg(format!("--strip-components={outer}"));
    cache.step(&format!("{peer}-unpack"), &mut command, deadline)?;
    std::fs::remove_file(archive).map_err(|error| format!("{}: {error}", archive.display()))
}

/// Writes a file of the peers' data with its placeholders filled: `@NAME@` becomes the value.
pub(crate) fn write_template(
    template: &str,
    values: &[(&str, String)],
    to: &Path,
) -> Result<(), String> {
    std::fs::write(to, filled(template, values))
        .map_err(|error| format!("{}: {error}", to.display()))
}

fn filled(template: &str, values: &[(&str, String)]) -> String {
    values
        .iter()
        .fold(template.to_owned(), |text, (name, value)| {
            text.replace(&format!("@{name}@"), value)
        })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cache(name: &str) -> Cache {
        let root = shell::target_dir().join("xtask-tests").join(name);
        remove(&root).unwrap();
        std::fs::create_dir_all(root.join("log")).unwrap();
        Cache { root }
    }

    #[test]
    fn an_install_is_made_once_and_again_only_if_it_broke() {
        let cache = cache("install");
        let fill =
            |folder: &Path| std::fs::write(folder.join("a"), "").map_err(|error| error.to_string());
        let folder = cache.install("x", fill).unwrap();
        cache.install("x", |_| Err("not again".into())).unwrap();
        std::fs::remove_file(folder.join(".installed")).unwrap();
        assert_eq!(
            cache.install("x", |_| Err("broke".into())).unwrap_err(),
            "broke"
        );
        assert!(!folder.join("a").exists());
        cache.install("x", fill).unwrap();
    }

    #[test]
    fn programs_are_looked_for_on_the_path() {
        assert!(Need::new("sh", "dash").is_there());
        assert!(Need::new("/bin/sh", "dash").is_there());
        assert!(!Need::new("no-such-program-here", "none").is_there());
    }

    #[test]
    fn folders_of_killed_runs_are_removed() {
        let parent = shell::target_dir().join("xtask-tests/sweep");
        // No program has an id as great as that.
        let old = parent.join("run-99999999-1");
        std::fs::create_dir_all(&old).unwrap();
        let folder = RunFolder::new(&parent, 2).unwrap();
        assert!(!old.exists() && folder.path().exists());
        let path = folder.path().to_owned();
        drop(folder);
        assert!(!path.exists());
    }

    #[test]
    fn placeholders_are_filled() {
        assert_eq!(
            filled(
                "a @PORT@ b @X@ @PORT@",
                &[("PORT", "1".to_owned()), ("X", "y".to_owned())]
            ),
            "a 1 b y 1"
        );
    }
}
