//! The fake Immich server answers as real servers of both generations were seen to answer.
//!
//! Each case is one thing that was asked of real servers 2.7.5 and 3.0.3, in the order in which it
//! was asked: the status, the fields of the answer, and the sentences that clients act on.

use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use safelight::destination::http::{Answer, Client, Headers, Http as _, Method, Request, Settings, Url};
use serde_json::{Value, json};

use crate::fakes::immich::{Generation, ImmichServer, KEY, sha1_of};

const JSON: &str = "application/json; charset=utf-8";
const BOTH: [Generation; 2] = [Generation::V2, Generation::V3];

struct Scene {
    server: ImmichServer,
    client: Arc<Client>,
    uploads: std::sync::atomic::AtomicU32,
}

struct Upload<'a> {
    /// Text parts without the two dates and the two of the device.
    more: &'a [(&'a str, &'a str)],
    without: &'a [&'a str],
    name: &'a str,
    bytes: Option<&'a [u8]>,
    has_file: bool,
    sidecar: Option<&'a str>,
    key: &'a str,
    checksum: Option<String>,
}

impl Default for Upload<'_> {
    fn default() -> Self {
        Self {
            more: &[],
            without: &[],
            name: "a.jpg",
            bytes: None,
            has_file: true,
            sidecar: None,
            key: KEY,
            checksum: None,
        }
    }
}

impl Scene {
    fn of(generation: Generation) -> Self {
        let server = ImmichServer::start(generation);
        let client = Arc::new(Client::new(Settings::default()));
        Self { server, client, uploads: std::sync::atomic::AtomicU32::new(0) }
    }

    async fn send(&self, method: Method, path: &str, headers: Headers, body: Option<Vec<u8>>) -> Answer {
        let url = Url::parse(&format!("{}/api/{path}", self.server.origin())).expect("a URL");
        let mut request = Request::new(method, url).headers(&headers);
        if let Some(body) = body {
            request = request.body(body);
        }
        self.client.send(request).await.expect("an answer").read_to_end(1 << 20).await.expect("whole")
    }

    async fn ask(&self, method: Method, path: &str, body: Option<Value>) -> Answer {
        let headers = Headers::from([("x-api-key", KEY), ("content-type", "application/json")]);
        self.send(method, path, headers, body.map(|body| body.to_string().into_bytes())).await
    }

    async fn upload(&self, upload: Upload<'_>) -> Answer {
        let number = self.uploads.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
        let own = format!("bytes of upload {number}");
        let mut body = String::new();
        let date = "2021-02-03T04:05:06.000Z";
        let usual = [
            ("deviceAssetId", "probe-1"),
            ("deviceId", "probe"),
            ("fileCreatedAt", date),
            ("fileModifiedAt", date),
        ];
        let texts = usual.iter().chain(upload.more).filter(|(name, _)| !upload.without.contains(name));
        for (name, value) in texts {
            body += &format!("--x\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n");
        }
        let mut body = body.into_bytes();
        let mut file = |part: &str, name: &str, bytes: &[u8]| {
            let head = format!(
                "--x\r\nContent-Disposition: form-data; name=\"{part}\"; filename=\"{name}\"\r\n\r\n"
            );
            body.extend([head.as_bytes(), bytes, b"\r\n"].concat());
        };
        if let Some(name) = upload.sidecar {
            file("sidecarData", name, b"<x/>");
        }
        if upload.has_file {
            file("assetData", upload.name, upload.bytes.unwrap_or(own.as_bytes()));
        }
        body.extend(b"--x--\r\n");
        let mut headers =
            Headers::from([("x-api-key", upload.key), ("content-type", "multipart/form-data; boundary=x")]);
        if let Some(checksum) = upload.checksum {
            headers.set("x-immich-checksum", checksum);
        }
        self.send(Method::POST, "assets", headers, Some(body)).await
    }
}

fn body(answer: &Answer) -> Value {
    serde_json::from_slice(&answer.body).unwrap_or(Value::Null)
}

/// The names of an object's fields, sorted.
fn fields(value: &Value) -> Vec<&str> {
    let mut names: Vec<&str> =
        value.as_object().map(|o| o.keys().map(String::as_str).collect()).unwrap_or_default();
    names.sort_unstable();
    names
}

/// A refusal with this sentence, in its generation's form.
fn refused(generation: Generation, answer: &Answer, status: u16, message: &Value) {
    assert_eq!((answer.status, answer.header("content-type")), (status, Some(JSON)), "{message}");
    let body = body(answer);
    assert_eq!(&body["message"], message);
    match generation {
        Generation::V2 => assert_eq!(fields(&body), ["correlationId", "error", "message", "statusCode"]),
        Generation::V3 => assert_eq!(fields(&body), ["message"]),
    }
}

fn uploaded(answer: &Answer, status: u16, word: &str) -> String {
    assert_eq!((answer.status, answer.header("content-type")), (status, Some(JSON)));
    let body = body(answer);
    assert_eq!((fields(&body), body["status"].as_str()), (vec!["id", "status"], Some(word)));
    body["id"].as_str().expect("an id").to_owned()
}

#[tokio::test]
async fn what_a_server_says_of_itself() {
    for generation in BOTH {
        let scene = Scene::of(generation);
        let open = async |path: &str| {
            let answer = scene.send(Method::GET, path, Headers::default(), None).await;
            assert_eq!((answer.status, answer.header("content-type")), (200, Some(JSON)), "{path}");
            body(&answer)
        };
        assert_eq!(open("server/ping").await, json!({ "res": "pong" }));
        let version = open("server/version").await;
        let features = open("server/features").await;
        let types = open("server/media-types").await;
        assert_eq!(fields(&types), ["image", "sidecar", "video"]);
        assert_eq!(types["sidecar"], json!([".xmp"]));
        let count = |kind: &str| types[kind].as_array().map(Vec::len);
        assert_eq!((features["trash"].as_bool(), features["sidecar"].as_bool()), (Some(true), Some(true)));
        let knows_mpo = types["image"].as_array().expect("a list").contains(&json!(".mpo"));
        match generation {
            Generation::V2 => {
                assert_eq!(version, json!({ "major": 2, "minor": 7, "patch": 5 }));
                assert_eq!((count("image"), count("video"), knows_mpo), (Some(47), Some(20), false));
                assert_eq!(features.as_object().map(serde_json::Map::len), Some(15));
            }
            Generation::V3 => {
                assert_eq!(version, json!({ "major": 3, "minor": 0, "patch": 3, "prerelease": null }));
                assert_eq!((count("image"), count("video"), knows_mpo), (Some(48), Some(20), true));
                assert_eq!(features["realtimeTranscoding"], json!(false));
            }
        }
        let me = body(&scene.ask(Method::GET, "users/me", None).await);
        assert_eq!(
            (me["quotaSizeInBytes"].clone(), me["quotaUsageInBytes"].clone()),
            (Value::Null, json!(0))
        );
        assert_eq!(me.as_object().map(serde_json::Map::len), Some(17));
        let about = body(&scene.ask(Method::GET, "server/about", None).await);
        assert_eq!(about["version"], if generation == Generation::V2 { "v2.7.5" } else { "v3.0.3" });
        let wrong = Headers::from([("x-api-key", "wrong")]);
        let answer = scene.send(Method::GET, "users/me", wrong, None).await;
        refused(generation, &answer, 401, &json!("Invalid API key"));
        let answer = scene.send(Method::GET, "users/me", Headers::default(), None).await;
        refused(generation, &answer, 401, &json!("Authentication required"));
    }
}

#[tokio::test]
async fn what_becomes_of_uploads() {
    for generation in BOTH {
        let scene = Scene::of(generation);
        let bytes = Some(b"the first bytes".as_slice());
        let sha1 = sha1_of(b"the first bytes");
        let id = uploaded(&scene.upload(Upload { bytes, ..Upload::default() }).await, 201, "created");
        let hex: String = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
        for checksum in [None, Some(hex), Some(STANDARD.encode(sha1))] {
            let again = scene.upload(Upload { bytes, checksum, ..Upload::default() }).await;
            assert_eq!(uploaded(&again, 200, "duplicate"), id);
        }
        let asset = body(&scene.ask(Method::GET, &format!("assets/{id}"), None).await);
        assert_eq!(asset["checksum"], json!(STANDARD.encode(sha1)));
        let is_old = generation == Generation::V2;
        for field in ["deviceAssetId", "deviceId", "unassignedFaces"] {
            assert_eq!(asset.get(field).is_some(), is_old, "{field}");
        }
        assert_eq!(asset["duration"], if is_old { json!("0:00:00.00000") } else { Value::Null });
        assert_eq!(asset.as_object().map(serde_json::Map::len), Some(if is_old { 35 } else { 32 }));
        for upload in [
            Upload { more: &[("filename", "b.jpg")], ..Upload::default() },
            Upload { more: &[("isFavorite", "true"), ("visibility", "archive")], ..Upload::default() },
            Upload { name: "A.JPG", ..Upload::default() },
            Upload { name: "a.png", ..Upload::default() },
            Upload { name: "\u{e9}\u{1f4f7}.jpg", ..Upload::default() },
            Upload { name: "../x/a.jpg", ..Upload::default() },
            Upload { bytes: Some(b""), ..Upload::default() },
            Upload { sidecar: Some("a.xmp"), ..Upload::default() },
        ] {
            uploaded(&scene.upload(upload).await, 201, "created");
        }
        for (upload, message) in [
            (Upload { name: "a.txt", ..Upload::default() }, "Unsupported file type a.txt"),
            (Upload { name: "a", ..Upload::default() }, "Unsupported file type a"),
            (Upload { has_file: false, ..Upload::default() }, "File is required"),
            (
                Upload { more: &[("livePhotoVideoId", "x")], ..Upload::default() },
                "Live photo video not found",
            ),
            // The sidecar is judged by the name that was given for the picture.
            (
                Upload { more: &[("filename", "b.jpg")], sidecar: Some("a.xmp"), ..Upload::default() },
                "Unsupported file type b.jpg",
            ),
        ] {
            refused(generation, &scene.upload(upload).await, 400, &json!(message));
        }
        let wrong = scene.upload(Upload { key: "wrong", ..Upload::default() }).await;
        refused(generation, &wrong, 401, &json!("Invalid API key"));
    }
}

#[tokio::test]
async fn what_is_wrong_with_a_form_is_told_in_two_ways() {
    let devices = ["deviceAssetId", "deviceId"];
    let dates = ["fileCreatedAt", "fileModifiedAt"];
    let old = Scene::of(Generation::V2);
    let answer = old.upload(Upload { without: &devices, ..Upload::default() }).await;
    let missing = |field: &str, kind: &str| {
        [format!("{field} must be a {kind}"), format!("{field} should not be empty")]
    };
    refused(Generation::V2, &answer, 400, &json!(devices.map(|field| missing(field, "string")).concat()));
    let answer = old.upload(Upload { without: &dates, ..Upload::default() }).await;
    refused(
        Generation::V2,
        &answer,
        400,
        &json!(dates.map(|field| missing(field, "Date instance")).concat()),
    );
    let bad_date = || Upload { more: &[("fileCreatedAt", "yesterday")], ..Upload::default() };
    let answer = old.upload(bad_date()).await;
    refused(Generation::V2, &answer, 400, &json!("fileCreatedAt must be a date string"));
    let bad_word = || Upload { more: &[("visibility", "x")], ..Upload::default() };
    let words = "visibility must be one of the following values: archive, timeline, hidden, locked";
    refused(Generation::V2, &old.upload(bad_word()).await, 400, &json!([words]));

    let new = Scene::of(Generation::V3);
    let answer = new.upload(Upload { without: &devices, ..Upload::default() }).await;
    uploaded(&answer, 201, "created");
    for (upload, paths, code) in [
        (Upload { without: &dates, ..Upload::default() }, dates.to_vec(), "invalid_type"),
        (bad_date(), vec!["fileCreatedAt"], "invalid_format"),
        (bad_word(), vec!["visibility"], "invalid_value"),
    ] {
        let answer = new.upload(upload).await;
        let body = body(&answer);
        assert_eq!((answer.status, fields(&body)), (400, vec!["errors", "message"]));
        assert_eq!(body["message"], "Validation failed");
        let errors = body["errors"].as_array().expect("a list");
        let told: Vec<_> =
            errors.iter().map(|error| (error["path"][0].clone(), error["code"].clone())).collect();
        assert_eq!(told, paths.iter().map(|path| (json!(path), json!(code))).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn what_is_there_already_is_known_by_its_bytes_even_in_the_trash() {
    for generation in BOTH {
        let scene = Scene::of(generation);
        let bytes = Some(b"known bytes".as_slice());
        let sha1 = sha1_of(b"known bytes");
        let hex: String = sha1.iter().map(|byte| format!("{byte:02x}")).collect();
        let id = uploaded(&scene.upload(Upload { bytes, ..Upload::default() }).await, 201, "created");
        let check = async |checksums: &[&str]| {
            let assets: Vec<Value> = checksums
                .iter()
                .zip(1..)
                .map(|(sum, n)| json!({ "id": n.to_string(), "checksum": sum }))
                .collect();
            let answer =
                scene.ask(Method::POST, "assets/bulk-upload-check", Some(json!({ "assets": assets }))).await;
            assert_eq!(answer.status, 200);
            body(&answer)["results"].clone()
        };
        let held = |n: &str, is_trashed: bool| json!({ "id": n, "action": "reject", "reason": "duplicate", "assetId": id, "isTrashed": is_trashed });
        let base64 = STANDARD.encode(sha1);
        let results = check(&[&hex, &base64, &"0".repeat(40)]).await;
        assert_eq!(results, json!([held("1", false), held("2", false), { "id": "3", "action": "accept" }]));
        assert_eq!(check(&["no checksum"]).await, json!([{ "id": "1", "action": "accept" }]));

        let one = json!({ "ids": [id] });
        assert_eq!(scene.ask(Method::DELETE, "assets", Some(one.clone())).await.status, 204);
        let asset = body(&scene.ask(Method::GET, &format!("assets/{id}"), None).await);
        assert_eq!(asset["isTrashed"], json!(true));
        let again = scene.upload(Upload { bytes, ..Upload::default() }).await;
        assert_eq!(uploaded(&again, 200, "duplicate"), id);
        assert_eq!(check(&[&hex]).await, json!([held("1", true)]));
        let restored = scene.ask(Method::POST, "trash/restore/assets", Some(one)).await;
        assert_eq!((restored.status, body(&restored)), (200, json!({ "count": 1 })));
        let forced = json!({ "ids": [id], "force": true });
        assert_eq!(scene.ask(Method::DELETE, "assets", Some(forced)).await.status, 204);
        let gone = scene.ask(Method::GET, &format!("assets/{id}"), None).await;
        refused(generation, &gone, 400, &json!("Not found or no asset.read access"));
    }
}

#[tokio::test]
async fn albums_tags_and_what_only_the_older_generation_has() {
    for generation in BOTH {
        let scene = Scene::of(generation);
        let id = uploaded(&scene.upload(Upload::default()).await, 201, "created");
        let is_old = generation == Generation::V2;
        let made =
            scene.ask(Method::POST, "albums", Some(json!({ "albumName": "Probe", "assetIds": [id] }))).await;
        assert_eq!(made.status, 201);
        let made = body(&made);
        assert_eq!((made.get("assets").is_some(), made.get("ownerId").is_some()), (is_old, is_old));
        let listed_owner = made["albumUsers"][0]["user"]["id"].as_str();
        assert_eq!(listed_owner, (!is_old).then_some(scene.server.user.id.as_str()));
        let album = made["id"].as_str().expect("an id");
        let stranger = scene.server.immich.id();
        let filled = scene
            .ask(Method::PUT, &format!("albums/{album}/assets"), Some(json!({ "ids": [id, stranger] })))
            .await;
        let expected = json!([{ "id": id, "success": false, "error": "duplicate" },
            { "id": stranger, "success": false, "error": "no_permission" }]);
        assert_eq!((filled.status, body(&filled)), (200, expected));
        let found = body(&scene.ask(Method::GET, &format!("albums/{album}"), None).await);
        assert_eq!((found.get("assets").is_some(), found["assetCount"].as_u64()), (is_old, Some(1)));
        assert_eq!(found.as_object().map(serde_json::Map::len), Some(if is_old { 18 } else { 15 }));
        let tags = body(&scene.ask(Method::PUT, "tags", Some(json!({ "tags": ["a/b"] }))).await);
        assert_eq!((tags[0]["name"].as_str(), tags[0]["value"].as_str()), (Some("b"), Some("a/b")));

        let exist = json!({ "deviceId": "probe", "deviceAssetIds": ["probe-1", "probe-2"] });
        let exist = scene.ask(Method::POST, "assets/exist", Some(exist)).await;
        let device = scene.ask(Method::GET, "assets/device/probe", None).await;
        if is_old {
            assert_eq!(
                (body(&exist), body(&device)),
                (json!({ "existingIds": ["probe-1"] }), json!(["probe-1"]))
            );
        } else {
            refused(generation, &exist, 404, &json!("Cannot POST /api/assets/exist"));
            refused(generation, &device, 404, &json!("Cannot GET /api/assets/device/probe"));
        }
    }
}

#[tokio::test]
async fn four_equal_uploads_make_one_asset_and_a_cut_one_none() {
    for generation in BOTH {
        let scene = Scene::of(generation);
        let bytes = vec![7; 300_000];
        let upload = || scene.upload(Upload { bytes: Some(&bytes), ..Upload::default() });
        let answers = tokio::join!(upload(), upload(), upload(), upload());
        let mut statuses = [answers.0.status, answers.1.status, answers.2.status, answers.3.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [200, 200, 200, 201]);
        let count = async || body(&scene.ask(Method::GET, "assets/statistics", None).await);
        assert_eq!(count().await, json!({ "images": 1, "videos": 0, "total": 1 }));
        scene.server.set(|behavior| behavior.cuts = Some((1, 1000)));
        let url = Url::parse(&format!("{}/api/assets", scene.server.origin())).expect("a URL");
        let headers =
            Headers::from([("x-api-key", KEY), ("content-type", "multipart/form-data; boundary=x")]);
        let cut =
            scene.client.send(Request::new(Method::POST, url).headers(&headers).body(vec![1; 900_000])).await;
        assert!(cut.is_err());
        assert_eq!(count().await["total"], 1);
    }
}

#[tokio::test]
async fn quotas_and_permissions() {
    for generation in BOTH {
        let scene = Scene::of(generation);
        let made = scene
            .ask(Method::POST, "admin/users", Some(json!({ "name": "Q", "quotaSizeInBytes": 1000 })))
            .await;
        assert_eq!((made.status, body(&made)["quotaSizeInBytes"].as_u64()), (201, Some(1000)));
        let user = scene.server.immich.lock().users[1].clone();
        scene.server.immich.add_key(&user, "small", &["asset.upload"]);
        let large = Upload { key: "small", bytes: Some(&[1; 1001]), ..Upload::default() };
        refused(generation, &scene.upload(large).await, 400, &json!("Quota has been exceeded!"));
        let small = Upload { key: "small", bytes: Some(&[1; 1000]), ..Upload::default() };
        uploaded(&scene.upload(small).await, 201, "created");
        let headers = Headers::from([("x-api-key", "small")]);
        let answer = scene.send(Method::GET, "users/me", headers, None).await;
        refused(generation, &answer, 403, &json!("Missing required permission: user.read"));
    }
}
