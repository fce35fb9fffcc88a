//! Whom the client trusts.

use super::{client, http};
use burn_quantum::Error;
use burn_quantum::hardware::{FailureKind, Http, Method, Request, Response, Transport};
use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair, date_time_ymd,
};
use rustls::pki_types::PrivateKeyDer;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use std::io::BufReader;
use std::net::{TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

type Authority = CertifiedIssuer<'static, KeyPair>;

fn authority(name: &str) -> Authority {
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.distinguished_name.push(DnType::CommonName, name);
    CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap()
}

/// A service over TLS that has no solvers.
struct Service {
    url: String,
    seen: Arc<Mutex<Vec<Request>>>,
    /// Its own certificate.
    pem: String,
}

impl Service {
    /// With a certificate of an authority, or signed by itself.
    fn new(params: CertificateParams, authority: Option<&Authority>) -> Self {
        let key = KeyPair::generate().unwrap();
        let certificate = match authority {
            Some(authority) => params.signed_by(&key, authority).unwrap(),
            None => params.self_signed(&key).unwrap(),
        };
        let key = PrivateKeyDer::try_from(key.serialize_der()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config =
            ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.unwrap().with_no_client_auth();
        let config = config.with_single_cert(vec![certificate.der().clone()], key).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("https://{}/sapi/v2/", listener.local_addr().unwrap());
        let seen = Arc::<Mutex<Vec<Request>>>::default();
        let (config, log) = (Arc::new(config), seen.clone());
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                answer(stream, &config, &log);
            }
        });
        Self { url, seen, pem: certificate.pem() }
    }

    /// For this machine.
    fn here(authority: Option<&Authority>) -> Self {
        Self::new(CertificateParams::new(["127.0.0.1".to_string()]).unwrap(), authority)
    }

    fn ask(&self, http: Http) -> Result<(), Error> {
        client(&self.url).with_transport(Arc::new(http)).solvers().map(|solvers| {
            assert_eq!(solvers, []);
        })
    }

    /// Nothing of a request, and so no token, reaches a server that is not trusted.
    fn is_refused(&self, http: Http, expected: &str) {
        let error = self.ask(http.clone()).unwrap_err();
        let text = error.to_string();
        assert!(error.is_device() && !error.is_unavailable(), "{text}");
        assert!(text.contains("invalid peer certificate") && text.contains(expected), "{text}");
        assert!(text.contains("`Http::with_root_certificate`"), "{text}");
        let failure = http.send(&Request::new(Method::Post, &self.url)).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Untrusted);
        assert_eq!(self.seen.lock().unwrap().len(), 0);
    }
}

/// One request, if there is one.
fn answer(stream: TcpStream, config: &Arc<ServerConfig>, log: &Mutex<Vec<Request>>) {
    let connection = ServerConnection::new(config.clone()).unwrap();
    let mut reader = BufReader::new(StreamOwned::new(connection, stream));
    if let Ok(Some(request)) = http::read(&mut reader) {
        log.lock().unwrap().push(request);
        let answer = Response { status: 200, headers: Vec::new(), body: b"[]".to_vec() };
        let _ = http::write(reader.get_mut(), &answer);
    }
}

fn trusting(pem: &str) -> Http {
    Http::with_root_certificate(pem).unwrap()
}

#[test]
fn a_certificate_that_nobody_vouches_for_is_refused_unless_it_is_named() {
    let service = Service::here(None);
    service.is_refused(Http::default(), "UnknownIssuer");
    service.ask(trusting(&service.pem)).unwrap();
    let seen = service.seen.lock().unwrap();
    assert_eq!(seen[0].header("x-auth-token"), Some("DEV-c0ffee"));
}

#[test]
fn an_authority_vouches_for_its_servers_alone() {
    let [ours, other] = ["ours", "other"].map(authority);
    let service = Service::here(Some(&ours));
    service.is_refused(Http::default(), "UnknownIssuer");
    service.is_refused(trusting(&other.pem()), "UnknownIssuer");
    service.ask(trusting(&ours.pem())).unwrap();
    service.ask(trusting(&(other.pem() + &ours.pem()))).unwrap();
}

#[test]
fn a_certificate_of_another_name_or_another_time_is_refused() {
    let ours = authority("ours");
    let params = CertificateParams::new(["example.com".to_string()]).unwrap();
    Service::new(params, Some(&ours)).is_refused(trusting(&ours.pem()), "not valid for name");

    let mut params = CertificateParams::new(["127.0.0.1".to_string()]).unwrap();
    params.not_after = date_time_ymd(2020, 1, 1);
    Service::new(params, Some(&ours)).is_refused(trusting(&ours.pem()), "expired");
}

#[test]
fn what_is_no_certificate_is_refused_at_once() {
    let key = KeyPair::generate().unwrap().serialize_pem();
    let broken = authority("ours").pem().replacen("MI", "\u{e9}", 1);
    for text in ["", "-----BEGIN CERTIFICATE-----\n", &key, &broken] {
        let error = Http::with_root_certificate(text).unwrap_err().to_string();
        assert!(error.contains("root certificates: ") && error.contains("give PEM"), "{error}");
    }
}
