//! Processes that work on a store: host, number, start, and whether they still live.

use std::path::Path;
use std::process::Command;

/// A process, named so that no other is ever taken for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Owner {
    /// The machine's name.
    pub host: String,
    /// Since when the machine runs, as an identifier; empty where the system has none.
    pub boot: String,
    /// The namespace of process numbers; empty where the system has none.
    pub namespace: String,
    /// The process number.
    pub process: u32,
    /// When the process started, in the system's own units.
    pub started: String,
}

/// The state of an owner, as far as it is known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Liveness {
    Alive,
    Dead,
    /// On another machine: only its heartbeat tells.
    Elsewhere,
}

impl Owner {
    /// This process.
    pub(super) fn current() -> Self {
        let process = std::process::id();
        let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default();
        let namespace = std::fs::read_link("/proc/self/ns/pid")
            .map(|link| link.to_string_lossy().into_owned())
            .unwrap_or_default();
        Self {
            host: gethostname::gethostname().to_string_lossy().into_owned(),
            boot: read("/proc/sys/kernel/random/boot_id").trim().to_string(),
            namespace,
            process,
            started: start_of(process).unwrap_or_default(),
        }
    }

    /// Whether the process of `self` still lives, as seen by `observer`.
    pub(super) fn liveness(&self, observer: &Self) -> Liveness {
        if self.host != observer.host {
            return Liveness::Elsewhere;
        }
        if self.boot != observer.boot {
            // The machine was started again since, unless two machines share a name.
            return if self.boot.is_empty() || observer.boot.is_empty() {
                Liveness::Elsewhere
            } else {
                Liveness::Dead
            };
        }
        if self.namespace != observer.namespace {
            return Liveness::Elsewhere;
        }
        match start_of(self.process) {
            Some(started) if started == self.started => Liveness::Alive,
            _ => Liveness::Dead,
        }
    }
}

/// Whether a process of this machine still runs.
pub(super) fn is_running(process: u32) -> bool {
    start_of(process).is_some()
}

/// When a process started; `None` when there is no such process.
fn start_of(process: u32) -> Option<String> {
    if Path::new("/proc/self/stat").exists() {
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        // The name of the program, in parentheses, may hold spaces: fields are counted after it.
        let mut fields = stat.rsplit_once(')')?.1.split_whitespace();
        let state = fields.next()?;
        // A zombie is dead: it only waits for its parent.
        return (!matches!(state, "Z" | "X")).then(|| fields.nth(18).unwrap_or_default().into());
    }
    let process = process.to_string();
    let output = if cfg!(windows) {
        let query = format!("(Get-Process -Id {process}).StartTime.Ticks");
        Command::new("powershell")
            .args(["-NoProfile", "-Command", &query])
            .output()
    } else {
        Command::new("ps")
            .args(["-o", "lstart=", "-p", &process])
            .output()
    };
    let text = String::from_utf8(output.ok()?.stdout).ok()?;
    let text = text.trim();
    (!text.is_empty()).then(|| text.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_knows_itself_and_the_dead() {
        let own = Owner::current();
        assert_eq!(own.liveness(&own), Liveness::Alive);
        let later = Owner {
            started: "not this".into(),
            ..own.clone()
        };
        assert_eq!(later.liveness(&own), Liveness::Dead, "a reused number");
        let elsewhere = Owner {
            host: format!("{}-other", own.host),
            ..own.clone()
        };
        assert_eq!(elsewhere.liveness(&own), Liveness::Elsewhere);

        let mut child = Command::new(std::env::current_exe().unwrap())
            .arg("--list")
            .stdout(std::process::Stdio::null())
            .spawn()
            .unwrap();
        let owner = Owner {
            process: child.id(),
            started: start_of(child.id()).unwrap_or_default(),
            ..own.clone()
        };
        child.wait().unwrap();
        assert_eq!(owner.liveness(&own), Liveness::Dead);
    }

    #[test]
    fn a_reboot_ends_every_process() {
        let own = Owner {
            boot: "one".into(),
            ..Owner::current()
        };
        let after = Owner {
            boot: "two".into(),
            ..own.clone()
        };
        assert_eq!(own.liveness(&after), Liveness::Dead);
    }
}
