//! Listeners that the service manager keeps open for us and hands over, so that clients wait in its queue while we start
//! anew, and none is refused.

use std::env;
use std::io;

use listenfd::ListenFd;

use super::Listener;

/// What the names of descriptors (`FileDescriptorName=` of a systemd socket unit) may be, and whom they are for.
const NAMES: [(&str, ListenerPurpose); 3] = [
    ("gatehouse", ListenerPurpose::Clients),
    ("gatehouse-socket", ListenerPurpose::Clients),
    ("gatehouse-monitoring", ListenerPurpose::Operators),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ListenerPurpose {
    Clients,
    Operators,
}

/// The listeners that were handed over. They stand in for those of the settings: TCP for TCP, Unix for Unix.
#[derive(Debug, Default)]
pub struct InheritedListeners {
    clients: Vec<StdListener>,
    operators: Vec<StdListener>,
}

#[derive(Debug)]
enum StdListener {
    Tcp(std::net::TcpListener),
    Unix(std::os::unix::net::UnixListener),
}

impl InheritedListeners {
    /// Takes what `LISTEN_FDS` and `LISTEN_FDNAMES` tell of, where `LISTEN_PID` is this process, and takes the first out of
    /// the environment: so it is called before the runtime has threads.
    ///
    /// # Errors
    /// Where a descriptor is no listener, or its name says nothing about whom it is for: metrics must not end up on the
    /// clients' address.
    pub fn take() -> io::Result<Self> {
        let names = env::var("LISTEN_FDNAMES").unwrap_or_default();
        let mut descriptors = ListenFd::from_env();
        let mut inherited = Self::default();
        let mut names = names.split(':').filter(|name| !name.is_empty());
        for index in 0..descriptors.len() {
            let purpose = purpose(names.next())?;
            let Some(listener) = take_one(&mut descriptors, index)? else { continue };
            match purpose {
                ListenerPurpose::Clients => inherited.clients.push(listener),
                ListenerPurpose::Operators => inherited.operators.push(listener),
            }
        }
        Ok(inherited)
    }

    /// Takes the TCP listeners for clients.
    ///
    /// # Errors
    /// Where the runtime does not take one.
    pub fn clients_tcp(&mut self) -> io::Result<Vec<Listener>> {
        self.clients
            .extract_if(.., |listener| matches!(listener, StdListener::Tcp(_)))
            .map(Listener::try_from)
            .collect()
    }

    /// Takes the Unix listeners for clients.
    ///
    /// # Errors
    /// Where the runtime does not take one.
    pub fn clients_unix(&mut self) -> io::Result<Vec<Listener>> {
        self.clients
            .extract_if(.., |listener| matches!(listener, StdListener::Unix(_)))
            .map(Listener::try_from)
            .collect()
    }

    /// Takes the listeners for operators.
    ///
    /// # Errors
    /// Where the runtime does not take one.
    pub fn operators(&mut self) -> io::Result<Vec<Listener>> {
        self.operators.drain(..).map(Listener::try_from).collect()
    }
}

/// Whom a listener is for. Who hands over listeners without names means the clients'.
fn purpose(name: Option<&str>) -> io::Result<ListenerPurpose> {
    let Some(name) = name else { return Ok(ListenerPurpose::Clients) };
    NAMES.iter().find(|(known, _)| *known == name).map(|(_, purpose)| *purpose).ok_or_else(|| {
        let known = NAMES.map(|(name, _)| name).join(", ");
        io::Error::other(format!("a listener named {name} was handed over; FileDescriptorName= is one of {known}"))
    })
}

fn take_one(descriptors: &mut ListenFd, index: usize) -> io::Result<Option<StdListener>> {
    if let Ok(Some(listener)) = descriptors.take_unix_listener(index) {
        return Ok(Some(StdListener::Unix(listener)));
    }
    Ok(descriptors.take_tcp_listener(index)?.map(StdListener::Tcp))
}

impl TryFrom<StdListener> for Listener {
    type Error = io::Error;

    fn try_from(listener: StdListener) -> io::Result<Self> {
        match listener {
            StdListener::Tcp(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::TcpListener::from_std(listener).map(Self::Tcp)
            }
            StdListener::Unix(listener) => {
                listener.set_nonblocking(true)?;
                tokio::net::UnixListener::from_std(listener).map(|listener| Self::Unix(listener, None))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_whom_a_listener_is_for() {
        assert_eq!(purpose(None).unwrap(), ListenerPurpose::Clients);
        assert_eq!(purpose(Some("gatehouse")).unwrap(), ListenerPurpose::Clients);
        assert_eq!(purpose(Some("gatehouse-socket")).unwrap(), ListenerPurpose::Clients);
        assert_eq!(purpose(Some("gatehouse-monitoring")).unwrap(), ListenerPurpose::Operators);
        assert_eq!(
            purpose(Some("metrics")).unwrap_err().to_string(),
            "a listener named metrics was handed over; FileDescriptorName= is one of gatehouse, gatehouse-socket, \
             gatehouse-monitoring"
        );
    }
}
