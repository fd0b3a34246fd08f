//! Which hosts requests may name.
//!
//! A server that listens at the loopback is for this machine. Any web page can let its own name point to 127.0.0.1 (DNS
//! rebinding), so that a browser takes the server for a part of the page and lets it read the answers. Only the name tells.

use std::net::{IpAddr, SocketAddr};

use hyper::{HeaderMap, StatusCode, Uri, header};

use crate::json::shortened;
use crate::refusal::Refusal;

/// The names under which the server is asked; `None` for any.
pub(crate) struct Hosts(Option<Vec<String>>);

impl Hosts {
    /// The names of a server at this address that `allowed` adds to. At the loopback names are looked at; elsewhere only if
    /// there are any in `allowed`. `*` allows all.
    pub(crate) fn new(address: SocketAddr, allowed: &[String]) -> Self {
        if (allowed.is_empty() && !address.ip().is_loopback()) || allowed.iter().any(|name| name == "*") {
            return Hosts(None);
        }
        let names = allowed.iter().map(|name| name_of(name));
        Hosts(Some(names.chain([address.ip().to_string()]).collect()))
    }

    /// A 403 if a request names another host, or was sent by a page of another.
    pub(crate) fn check(&self, headers: &HeaderMap, uri: &Uri) -> Result<(), Refusal> {
        let Some(names) = &self.0 else { return Ok(()) };
        let text = |value: &header::HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
        let hosts = headers.get_all(header::HOST).iter().map(text);
        // A proxy's form of a request has the host in its first line.
        let hosts = hosts.chain(uri.authority().map(|authority| authority.to_string()));
        for host in hosts {
            if !is_allowed(names, &name_of(&host)) {
                return Err(forbidden(format!("the host {:?}", shortened(&host)), &name_of(&host)));
            }
        }
        for origin in headers.get_all(header::ORIGIN).iter().map(text) {
            let host = name_of(origin.split_once("://").map_or("", |(_, host)| host));
            if !is_allowed(names, &host) {
                return Err(forbidden(format!("a page of {:?}", shortened(&origin)), &host));
            }
        }
        Ok(())
    }
}

fn is_allowed(names: &[String], name: &str) -> bool {
    name == "localhost"
        || name.ends_with(".localhost")
        || name.parse::<IpAddr>().is_ok_and(|address| address.is_loopback())
        || names.iter().any(|allowed| allowed == name)
}

/// The host without its port, brackets and case: `[::1]:8501` is `::1`.
fn name_of(host: &str) -> String {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or(rest),
        None => host.split(':').next().unwrap_or(host),
    };
    // A name may end with the root of all names.
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

fn forbidden(found: String, name: &str) -> Refusal {
    let name = if name.is_empty() { "NAME".to_owned() } else { shortened(name) };
    let text = format!(
        "{found} may not ask this server, which listens for localhost, 127.0.0.1 and [::1]; if it may, start the server with \
         --allow-host {name} (Server::allow_host)"
    );
    Refusal::new(StatusCode::FORBIDDEN, text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(hosts: &Hosts, name: &str, value: &str) -> bool {
        let request = hyper::Request::builder().header(name, value).body(()).unwrap();
        hosts.check(request.headers(), request.uri()).is_ok()
    }

    #[test]
    fn the_loopback_is_asked_by_its_own_names() {
        let hosts = Hosts::new("127.0.0.1:8501".parse().unwrap(), &["Model.Example:80".to_owned()]);
        for host in [
            "localhost",
            "LOCALHOST.:8501",
            "a.localhost",
            "127.0.0.1:8501",
            "127.1.2.3",
            "[::1]:8501",
            "model.example",
        ] {
            assert!(check(&hosts, "host", host), "{host}");
            assert!(check(&hosts, "origin", &format!("http://{host}")), "{host}");
        }
        for host in
            ["", "a.example", "localhost.a.example:8501", "xlocalhost", "10.0.0.1", "[::2]", "0.0.0.0", "127.0.0.1.a"]
        {
            assert!(!check(&hosts, "host", host), "{host}");
            assert!(!check(&hosts, "origin", &format!("http://{host}")), "{host}");
        }
        assert!(!check(&hosts, "origin", "null") && check(&hosts, "accept", "x"));
        let request = hyper::Request::builder().uri("http://a.example/").body(()).unwrap();
        assert!(hosts.check(request.headers(), request.uri()).is_err());
    }

    #[test]
    fn elsewhere_only_what_was_named_is_looked_at() {
        let everywhere = "0.0.0.0:8501".parse().unwrap();
        assert!(check(&Hosts::new(everywhere, &[]), "host", "a.example"));
        assert!(!check(&Hosts::new(everywhere, &["b.example".to_owned()]), "host", "a.example"));
        assert!(check(&Hosts::new("[::1]:1".parse().unwrap(), &["*".to_owned()]), "host", "a.example"));
    }
}
