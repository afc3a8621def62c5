//! Requests over real connections.

use parking_lot::Mutex;
use std::sync::{Arc, Once};
use std::time::Duration;

use bytes::Bytes;
use rustls::crypto::CryptoProvider;
use tokio_util::sync::CancellationToken;

use super::decode;
use super::errors;
use super::headers::Headers;
use super::idle_timeout::IdleTimeout;
use super::rate_limit::{SharedRateLimiter, Unlimited};
use super::status;
use super::tls;
use super::{Http, HttpError, IDLE_MAX, Method, NetworkConfig, Request, Response, ResponseBody};
use crate::base::secret::Secret;
use crate::destination::BoxFuture;
use crate::domain::failure::{Failure, FailureKind};

/// How long a server may take to pick up.
const CONNECT_MAX: Duration = Duration::from_secs(20);
/// How long an idle connection is kept; most servers close theirs a little later or at once.
const POOL_IDLE_MAX: Duration = Duration::from_secs(30);
/// How many idle connections to one server are kept.
const POOL_CONNECTIONS_MAX: usize = 16;
/// The most header fields of an answer.
const ANSWER_FIELDS_MAX: usize = 100;

/// Which proxy stands between.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub enum ProxyChoice {
    /// What the environment says (`HTTPS_PROXY`, `HTTP_PROXY`, `NO_PROXY`).
    #[default]
    Environment,
    /// No proxy.
    Direct,
    /// This one, for everything but what `NO_PROXY` names.
    Url {
        /// Its address, without anybody's name.
        url: String,
        /// Who signs in there.
        login: Option<(String, Secret)>,
    },
}

/// What all connections have in common.
#[derive(Clone)]
pub struct Settings {
    /// Which proxy. This computer itself is always reached directly.
    pub proxy: ProxyChoice,
    /// Certificate authorities that are trusted besides the system's own, as PEM.
    pub extra_ca: Vec<u8>,
    /// How long nothing may move.
    pub idle: Duration,
    /// The bandwidth limit.
    pub pace: SharedRateLimiter,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            proxy: ProxyChoice::default(),
            extra_ca: Vec::new(),
            idle: IDLE_MAX,
            pace: Arc::new(Unlimited),
        }
    }
}

/// Carries requests over TCP and TLS. Its connections live on the runtime that first used them.
pub struct Client {
    idle: Duration,
    pace: SharedRateLimiter,
    clients: Mutex<ClientCache>,
}

/// The clients out, and what they are made of.
struct ClientCache {
    proxy: ProxyChoice,
    extra_ca: Vec<u8>,
    /// Built at the first use: reading the system's certificates takes a while.
    outside: Option<reqwest::Client>,
    loopback: Option<reqwest::Client>,
}

impl Client {
    /// A client; nothing is opened or read yet.
    pub fn new(settings: Settings) -> Self {
        let Settings { proxy, extra_ca, idle, pace } = settings;
        let clients = ClientCache { proxy, extra_ca, outside: None, loopback: None };
        Self { idle, pace, clients: Mutex::new(clients) }
    }

    fn clients(&self) -> parking_lot::MutexGuard<'_, ClientCache> {
        self.clients.lock()
    }

    fn inner(&self, url: &url::Url) -> Result<reqwest::Client, Failure> {
        let is_loopback = is_loopback(url);
        let mut clients = self.clients();
        let known = if is_loopback { &clients.loopback } else { &clients.outside };
        if let Some(client) = known {
            return Ok(client.clone());
        }
        let client = clients.build(is_loopback)?;
        let slot = if is_loopback { &mut clients.loopback } else { &mut clients.outside };
        *slot = Some(client.clone());
        Ok(client)
    }

    /// Makes the next request to where `url` leads open a connection of its own. A server that refuses a
    /// body often leaves the rest of it unread, and whatever follows on that connection waits behind it:
    /// rustus answers nothing there any more.
    fn forget_connections(&self, url: &url::Url) {
        let mut clients = self.clients();
        *(if is_loopback(url) { &mut clients.loopback } else { &mut clients.outside }) = None;
    }

    async fn exchange(&self, request: Request) -> Result<Response, HttpError> {
        let Request { method, url, headers, body, cancel, takes_html, takes_redirects, answer_wait } =
            request;
        if cancel.is_cancelled() {
            return Err(HttpError::Cancelled);
        }
        let wrong = |why: String| Failure::permanent(FailureKind::BadRequest, why);
        let verb =
            reqwest::Method::from_bytes(method.as_str().as_bytes()).map_err(|e| wrong(e.to_string()))?;
        let fields = fields_of(&headers)?;
        let rest = cancel.child_token();
        let guard = rest.clone().drop_guard();
        let watch = Arc::new(IdleTimeout::default());
        let mut is_streamed = false;
        let mut builder = self.inner(&url)?.request(verb, url.clone()).headers(fields);
        if body.is_none() {
            watch.set_whole();
        } else {
            builder = builder.header("content-length", body.len());
            builder = match body.in_memory() {
                // Small ones can be sent again by the connection pool when it met a closed connection.
                Some(bytes) if bytes.len() <= super::ANSWER_BYTES_MAX => {
                    tokio::select! {
                        biased;
                        () = cancel.cancelled() => return Err(HttpError::Cancelled),
                        () = self.pace.admit(bytes.len() as u64) => {}
                    }
                    watch.set_whole();
                    builder.body(bytes)
                }
                _ => {
                    is_streamed = true;
                    let stream = body.into_stream(rest, Arc::clone(&watch), Arc::clone(&self.pace));
                    builder.body(reqwest::Body::wrap_stream(stream))
                }
            };
        }
        let outcome = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(HttpError::Cancelled),
            outcome = builder.send() => outcome,
            () = watch.silence(self.idle, answer_wait) => {
                return Err(errors::no_progress(&url, watch.is_whole()).into());
            }
        };
        watch.set_answered();
        if let Some(failure) = watch.take_failure() {
            return Err(failure.into());
        }
        let answer = match outcome {
            Ok(answer) => answer,
            // A token that was cancelled meanwhile broke the body off.
            Err(_broken) if cancel.is_cancelled() => return Err(HttpError::Cancelled),
            Err(error) => return Err(errors::failure_of(error, &url).into()),
        };
        let mut headers = head_of(&answer);
        let status = answer.status().as_u16();
        if is_streamed && status >= 400 && answer.version() < reqwest::Version::HTTP_2 {
            self.forget_connections(&url);
        }
        if !takes_redirects || !(300..400).contains(&status) {
            status::refuse_detours(status, &headers, &url)?;
        }
        let body = Box::new(ReqwestBody { answer, url, cancel, idle: self.idle });
        let body = decode::decoded(&mut headers, body)?;
        let may_be_page = status == 200 && !takes_html && status::is_html(&headers);
        let body = if may_be_page { without_page(body, method).await? } else { body };
        let mut response = Response::new(status, headers, body);
        response.is_early = !watch.is_whole();
        response._stops_the_rest = Some(guard);
        Ok(response)
    }
}

impl Http for Client {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(self.exchange(request))
    }

    fn pace(&self) -> SharedRateLimiter {
        Arc::clone(&self.pace)
    }

    fn set_network_config(&self, config: NetworkConfig) -> Result<(), Failure> {
        let NetworkConfig { upload_limit, proxy, extra_ca } = config;
        let mut clients = self.clients();
        if clients.proxy != proxy || clients.extra_ca != extra_ca {
            let mut next = ClientCache { proxy, extra_ca, outside: None, loopback: None };
            // What makes no sense is refused now, not at the next request.
            next.outside = Some(next.build(false)?);
            // Requests that are running keep the connections they have.
            *clients = next;
        }
        drop(clients);
        self.pace.set_rate(upload_limit);
        Ok(())
    }
}

impl ClientCache {
    fn build(&self, is_loopback: bool) -> Result<reqwest::Client, Failure> {
        install_tls();
        let wrong = |what: &str, error: reqwest::Error| {
            let details = format!("{what}: {}", error.without_url());
            Failure::destination(FailureKind::BadRequest, details)
        };
        let proxy = match &self.proxy {
            ProxyChoice::Url { url, login } if !is_loopback => {
                let proxy = reqwest::Proxy::all(url).map_err(|error| wrong("not a proxy", error))?;
                let proxy = proxy.no_proxy(reqwest::NoProxy::from_env());
                Some(match login {
                    Some((user, password)) => proxy.basic_auth(user, password.expose()),
                    None => proxy,
                })
            }
            _ => None,
        };
        let is_direct = is_loopback || self.proxy == ProxyChoice::Direct;
        let builder = || {
            let mut builder = reqwest::Client::builder()
                .user_agent(concat!("Safelight/", env!("CARGO_PKG_VERSION")))
                .redirect(reqwest::redirect::Policy::none())
                .referer(false)
                .default_headers(plain_answers())
                .retry(reqwest::retry::never())
                .connect_timeout(CONNECT_MAX)
                .pool_idle_timeout(POOL_IDLE_MAX)
                .pool_max_idle_per_host(POOL_CONNECTIONS_MAX)
                .http1_max_headers(ANSWER_FIELDS_MAX)
                .http2_adaptive_window(true)
                .tcp_nodelay(true);
            if is_direct {
                builder = builder.no_proxy();
            }
            if let Some(proxy) = &proxy {
                builder = builder.no_proxy().proxy(proxy.clone());
            }
            builder
        };
        let unusable = |error| wrong("the connection cannot be set up", error);
        if !self.extra_ca.is_empty() {
            let config = tls::config(&self.extra_ca, provider())
                .map_err(|details| Failure::destination(FailureKind::BadRequest, details))?;
            return builder().tls_backend_preconfigured(config).build().map_err(unusable);
        }
        builder().build().or_else(|_no_certificates| {
            // A computer without any certificate authority can still reach what needs none.
            builder().tls_certs_only([]).build().map_err(unusable)
        })
    }
}

/// A body that is still coming in.
struct ReqwestBody {
    answer: reqwest::Response,
    url: url::Url,
    cancel: CancellationToken,
    idle: Duration,
}

impl ResponseBody for ReqwestBody {
    fn chunk(&mut self) -> BoxFuture<'_, Result<Option<Bytes>, HttpError>> {
        Box::pin(async move {
            tokio::select! {
                biased;
                () = self.cancel.cancelled() => Err(HttpError::Cancelled),
                chunk = self.answer.chunk() => {
                    chunk.map_err(|error| errors::failure_of(error, &self.url).into())
                }
                () = tokio::time::sleep(self.idle) => Err(errors::no_progress(&self.url, true).into()),
            }
        })
    }
}

/// An answer that says it is a web page: refused, unless it has no body. moto answers so to what it has
/// stored. Of an answer to HEAD nothing is to be seen but what it says.
async fn without_page(
    mut body: Box<dyn ResponseBody>,
    method: Method,
) -> Result<Box<dyn ResponseBody>, HttpError> {
    if method == Method::HEAD || body.chunk().await?.is_some() {
        return Err(status::web_page().into());
    }
    Ok(Box::new(None::<Bytes>))
}

/// The fields of an answer; those that are not UTF-8 are left out.
fn head_of(answer: &reqwest::Response) -> Headers {
    let fields = answer.headers().iter().filter_map(|(name, value)| {
        Some((name.as_str().to_owned(), String::from_utf8(value.as_bytes().to_vec()).ok()?))
    });
    let mut headers = Headers::default();
    for (name, value) in fields {
        headers.add(name, value);
    }
    headers
}

/// Copies are compared and lengths are counted, so answers are wanted as they are.
fn plain_answers() -> reqwest::header::HeaderMap {
    use reqwest::header::{ACCEPT_ENCODING, HeaderMap, HeaderValue};
    HeaderMap::from_iter([(ACCEPT_ENCODING, HeaderValue::from_static("identity"))])
}

fn fields_of(headers: &Headers) -> Result<reqwest::header::HeaderMap, Failure> {
    use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
    // The value may be a secret: it is not repeated.
    let wrong = |name: &str| {
        Failure::permanent(FailureKind::BadRequest, format!("the header field {name} cannot be sent"))
    };
    let mut fields = HeaderMap::new();
    for (name, value, is_secret) in headers.iter() {
        let key = HeaderName::from_bytes(name.as_bytes()).map_err(|_bad| wrong(name))?;
        let mut value = HeaderValue::from_bytes(value.as_bytes()).map_err(|_bad| wrong(name))?;
        value.set_sensitive(is_secret);
        fields.append(key, value);
    }
    Ok(fields)
}

/// Whether a URL leads to this computer.
pub fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

/// Chooses the implementation of TLS for this process, once.
fn install_tls() {
    static INSTALL: Once = Once::new();
    INSTALL.call_once(|| {
        // An error says that one is installed already, which is as good.
        rustls::crypto::ring::default_provider().install_default().ok();
    });
}

/// The implementation of TLS that this process has.
fn provider() -> Arc<CryptoProvider> {
    let installed = CryptoProvider::get_default().cloned();
    installed.unwrap_or_else(|| Arc::new(rustls::crypto::ring::default_provider()))
}
