//! Where a Gitaly listens, in the spellings that gitlab-shell takes.

use std::path::PathBuf;

use tonic::transport::Uri;

/// The port of `dns:` addresses that name none.
const DNS_PORT: u16 = 50051;

/// What is dialled.
#[derive(Debug, PartialEq, Eq)]
pub enum GitalyAddress {
    /// `unix:/path/to/socket`
    Unix(PathBuf),
    /// `tcp://host:port`, `dns:host:port`; with TLS `tls://host:port`, `dns+tls:host:port`
    Tcp { host: String, port: u16, tls: bool },
}

impl GitalyAddress {
    /// Reads an address, or says what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (scheme, rest) = text.split_once(':').ok_or("must start with unix:, tcp://, tls:// or dns:")?;
        match scheme {
            "unix" if rest.is_empty() => Err("must name a socket, for example unix:/run/gitaly.socket".to_owned()),
            "unix" => Ok(Self::Unix(rest.into())),
            "tcp" | "tls" => {
                let example = || format!("must be {scheme}://host:port");
                let (host, port) = rest.strip_prefix("//").and_then(host_and_port).ok_or_else(example)?;
                Ok(Self::Tcp { host, port: port.ok_or_else(example)?, tls: scheme == "tls" })
            }
            "dns" | "dns+tls" => {
                let name = match rest.strip_prefix("//").map(|rest| rest.split_once('/')) {
                    None => rest,
                    Some(Some(("", name))) => name,
                    Some(_) => {
                        let reason = "names a DNS server, which we do not ask: must be";
                        return Err(format!("{reason} {scheme}:host:port or {scheme}:///host:port"));
                    }
                };
                let (host, port) = host_and_port(name).ok_or_else(|| format!("must be {scheme}:host:port"))?;
                Ok(Self::Tcp { host, port: port.unwrap_or(DNS_PORT), tls: scheme == "dns+tls" })
            }
            _ => Err("must start with unix:, tcp://, tls:// or dns:".to_owned()),
        }
    }
}

/// The host, without the brackets of an IPv6 address, and the port.
fn host_and_port(text: &str) -> Option<(String, Option<u16>)> {
    let uri: Uri = format!("http://{text}").parse().ok()?;
    let host = uri.host()?.trim_matches(['[', ']']).to_owned();
    let authority = uri.authority()?.as_str();
    // A path, a user name or a port that is no number is part of a problem, not of an address.
    let said =
        uri.port_u16().map_or_else(|| uri.host().map(str::to_owned), |port| Some(format!("{}:{port}", uri.host()?)));
    (!host.is_empty() && authority == text && said.as_deref() == Some(text)).then_some((host, uri.port_u16()))
}

#[cfg(test)]
mod tests {
    use super::GitalyAddress;

    #[test]
    fn the_spellings_of_gitlab_shell_are_read() {
        let unix = || GitalyAddress::Unix("/run/g.socket".into());
        let tcp = |host: &str, port, tls| GitalyAddress::Tcp { host: host.to_owned(), port, tls };
        let spellings = [
            ("unix:/run/g.socket", unix()),
            ("unix:///run/g.socket", unix()),
            ("tcp://gitaly:8075", tcp("gitaly", 8075, false)),
            ("tcp://[::1]:8075", tcp("::1", 8075, false)),
            ("tls://gitaly.example.com:9999", tcp("gitaly.example.com", 9999, true)),
            ("dns:gitaly:8075", tcp("gitaly", 8075, false)),
            ("dns:///gitaly", tcp("gitaly", 50051, false)),
            ("dns+tls:///gitaly:1", tcp("gitaly", 1, true)),
        ];
        for (text, address) in spellings {
            assert_eq!(GitalyAddress::parse(text), Ok(address), "{text}");
        }
    }

    #[test]
    fn what_cannot_be_dialled_is_a_mistake() {
        let bad = [
            "",
            "/run/g.socket",
            "unix:",
            "tcp://gitaly",
            "tcp:gitaly:1",
            "tcp://:1",
            "tcp://gitaly:1/path",
            "tls://g:x",
            "tcp://user@gitaly:1",
            "dns:",
            "dns://1.1.1.1/gitaly:1",
            "http://gitaly:1",
        ];
        for text in bad {
            assert!(GitalyAddress::parse(text).is_err(), "{text} was taken");
        }
    }
}
