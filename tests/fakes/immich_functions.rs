//! What each function of Immich's API does, once the key is seen to be allowed it.

use serde_json::{Value, json};

use super::immich::{Album, Asset, Immich, State, User, checksum_of};
use super::immich_answers::{self as answers, json_answer};
use super::serve::{Answer, answer};

impl Immich {
    pub(super) fn check(&self, user: &User, body: &Value) -> Answer {
        let (is_blind, skips_third) = {
            let mut behavior = self.behavior.lock();
            let is_blind = behavior.blind_checks > 0;
            behavior.blind_checks = behavior.blind_checks.saturating_sub(1);
            (is_blind, behavior.skips_third)
        };
        let state = self.lock();
        let result = |asked: &Value| {
            let sha1 = checksum_of(asked["checksum"].as_str().unwrap_or_default());
            match state.find(&user.id, &sha1).filter(|_asset| !is_blind) {
                Some(asset) => json!({ "id": asked["id"], "action": "reject", "reason": "duplicate",
                    "assetId": asset.id, "isTrashed": asset.is_trashed }),
                None => json!({ "id": asked["id"], "action": "accept" }),
            }
        };
        let mut results: Vec<Value> = body["assets"].as_array().into_iter().flatten().map(result).collect();
        if skips_third && results.len() > 2 {
            results.remove(2);
        }
        json_answer(200, &json!({ "results": results }))
    }

    pub(super) fn device_assets(&self, user: &User, device: &str) -> Vec<String> {
        let state = self.lock();
        let own = state.assets.iter().filter(|asset| asset.user == user.id && asset.device == device);
        own.map(|asset| asset.device_asset.clone()).collect()
    }

    pub(super) fn statistics(&self, user: &User) -> Answer {
        let state = self.lock();
        let own: Vec<bool> =
            state.assets.iter().filter(|asset| asset.user == user.id).map(|asset| asset.is_video).collect();
        let videos = own.iter().filter(|is_video| **is_video).count();
        json_answer(200, &json!({ "images": own.len() - videos, "videos": videos, "total": own.len() }))
    }

    pub(super) fn one(
        &self,
        user: &User,
        id: &str,
        permission: &str,
        found: impl FnOnce(&Asset) -> Answer,
    ) -> Answer {
        match self.lock().own(&user.id, id) {
            Some(asset) => found(asset),
            None => self.refuse(400, format!("Not found or no {permission} access")),
        }
    }

    pub(super) fn update(&self, user: &User, id: &str, body: &Value) -> Answer {
        let mut state = self.lock();
        if state.own(&user.id, id).is_none() {
            return self.refuse(400, "Not found or no asset.update access");
        }
        if let Some(video) = body["livePhotoVideoId"].as_str() {
            match state.own(&user.id, video) {
                None => return self.refuse(400, "Live photo video not found"),
                Some(asset) if !asset.is_video => {
                    return self.refuse(400, "Live photo video must be a video");
                }
                Some(asset) => "hidden".clone_into(&mut asset.visibility),
            }
        }
        let asset = state.own(&user.id, id).expect("seen above");
        for (field, value) in body.as_object().into_iter().flatten() {
            if field == "livePhotoVideoId" {
                asset.live_video = value.as_str().map(str::to_owned);
            } else {
                asset.told.insert(field.clone(), value.clone());
            }
        }
        json_answer(200, &answers::asset(self.generation, asset, user))
    }

    pub(super) fn remove(&self, user: &User, body: &Value) -> Answer {
        let mut state = self.lock();
        let mut removed = ids(&body["ids"]);
        if body["force"].as_bool() == Some(true) {
            // A video that no other still has goes with its still.
            let gone = state.assets.iter().filter(|asset| removed.contains(&asset.id));
            let videos: Vec<String> = gone.filter_map(|asset| asset.live_video.clone()).collect();
            removed.extend(videos);
            let stays = |asset: &Asset| asset.user != user.id || !removed.contains(&asset.id);
            state.assets.retain(stays);
            for album in &mut state.albums {
                album.assets.retain(|id| !removed.contains(id));
            }
        } else {
            for id in &removed {
                if let Some(asset) = state.own(&user.id, id) {
                    asset.is_trashed = true;
                }
            }
        }
        answer(204, "")
    }

    fn contents(&self, state: &State, album: &Album, user: &User) -> Vec<Value> {
        let held = state.assets.iter().filter(|asset| album.assets.contains(&asset.id));
        held.map(|asset| answers::asset_in_album(self.generation, asset, user)).collect()
    }

    pub(super) fn restore(&self, user: &User, body: &Value) -> Answer {
        let mut state = self.lock();
        let mut count = 0;
        for id in ids(&body["ids"]) {
            if let Some(asset) = state.own(&user.id, &id).filter(|asset| asset.is_trashed) {
                asset.is_trashed = false;
                count += 1;
            }
        }
        json_answer(200, &json!({ "count": count }))
    }

    pub(super) fn make_stack(&self, user: &User, body: &Value) -> Answer {
        let stack = ids(&body["assetIds"]);
        let mut state = self.lock();
        if stack.len() < 2 || !stack.iter().all(|id| state.own(&user.id, id).is_some()) {
            return self.refuse(400, "Not found or no asset.update access");
        }
        let made = json!({ "id": self.id(), "primaryAssetId": stack[0], "assets": [] });
        state.stacks.push(stack);
        json_answer(201, &made)
    }

    pub(super) fn album(&self, user: &User, id: &str) -> Answer {
        let state = self.lock();
        match state.albums.iter().find(|album| album.user == user.id && album.id == id) {
            Some(album) => {
                let assets = self.contents(&state, album, user);
                json_answer(200, &answers::album_looked_up(self.generation, album, &assets, user))
            }
            None => self.refuse(400, "Not found or no album.read access"),
        }
    }

    pub(super) fn make_album(&self, user: &User, body: &Value) -> Answer {
        let mut state = self.lock();
        let name = body["albumName"].as_str().unwrap_or_default().to_owned();
        let mut assets = ids(&body["assetIds"]);
        assets.retain(|id| state.own(&user.id, id).is_some());
        let album = Album { id: self.id(), user: user.id.clone(), name, assets };
        let made = answers::album(self.generation, &album, &self.contents(&state, &album, user), user);
        state.albums.push(album);
        json_answer(201, &made)
    }

    pub(super) fn fill_album(&self, user: &User, id: &str, body: &Value) -> Answer {
        let mut state = self.lock();
        let own: Vec<String> =
            state.assets.iter().filter(|asset| asset.user == user.id).map(|asset| asset.id.clone()).collect();
        let Some(album) = state.albums.iter_mut().find(|album| album.user == user.id && album.id == id)
        else {
            return self.refuse(400, "Not found or no albumAsset.create access");
        };
        let mut results = Vec::new();
        for id in ids(&body["ids"]) {
            let error = if album.assets.contains(&id) {
                Some("duplicate")
            } else if own.contains(&id) {
                album.assets.push(id.clone());
                None
            } else {
                Some("no_permission")
            };
            results.push(match error {
                Some(error) => json!({ "id": id, "success": false, "error": error }),
                None => json!({ "id": id, "success": true }),
            });
        }
        json_answer(200, &json!(results))
    }
}

/// The ids in a list.
fn ids(list: &Value) -> Vec<String> {
    list.as_array().into_iter().flatten().filter_map(Value::as_str).map(str::to_owned).collect()
}
