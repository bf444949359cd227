//! Kubernetes: an Indexed Job, as a manifest for `kubectl apply`.
//!
//! Pods that a drained node takes away do not count against an index, nor do those that end with 75 (interrupted); 2 and 3 (usage, bad input)
//! fail their index at once; others are tried again a few times.
//!
//! # Source
//! The Kubernetes documentation: Job, backoff limit per index (stable since 1.33), pod failure policy.
//!
//! # Limits
//! The run lies in a persistent volume claim that all pods mount to read and write. Catalogues that the survey reads have to be in the image or
//! the claim under the names that it gives them. Keys of an object store come from a secret and are not written into the manifest. Time limits are of pods, memory limits a quarter above what is asked for.

use super::{Engine, Job};
use crate::failure::SurveyError;
use serde_json::{Value, json};
use std::path::Path;
use yaml_rust2::{Yaml, YamlEmitter};

/// Where the claim's folder appears in a pod.
const MOUNT: &str = "/run/skyloop";
/// Indexes that a job with limits per index may have.
const MOST: u32 = 100_000;

/// A persistent volume claim, and the run's folder in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// Its name.
    pub name: String,
    /// The run's folder in it; the claim's own when empty.
    pub folder: String,
}

/// Kubernetes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kubernetes {
    /// Image that has `skyloop` on its PATH.
    pub image: String,
    /// Where the run lies.
    pub claim: Claim,
    /// How often an index may fail before it has failed.
    pub retries: u32,
    /// Secret whose entries are variables of the environment, such as the keys of an object store.
    pub secret: Option<String>,
}

impl Kubernetes {
    fn manifest(&self, job: &Job) -> Value {
        let mut mount = json!({"name": "run", "mountPath": MOUNT});
        if !self.claim.folder.is_empty() {
            mount["subPath"] = json!(self.claim.folder);
        }
        let memory = |share: f64| format!("{:.0}Mi", job.memory_mb as f64 * share);
        let mut container = json!({
            "name": "skyloop",
            "image": self.image,
            "command": job.command_at("skyloop", Path::new(MOUNT), "env"),
            "resources": {
                "requests": {"cpu": job.cpus.to_string(), "memory": memory(1.0)},
                "limits": {"memory": memory(1.25)},
            },
            "volumeMounts": [mount],
        });
        if let Some(secret) = &self.secret {
            container["envFrom"] = json!([{"secretRef": {"name": secret}}]);
        }
        json!({
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": job.name, "labels": {"app.kubernetes.io/name": "skyloop"}},
            "spec": {
                "completions": job.elements,
                "parallelism": job.at_once.unwrap_or(job.elements).min(job.elements),
                "completionMode": "Indexed",
                "backoffLimitPerIndex": self.retries,
                "podFailurePolicy": {"rules": [
                    {"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]},
                    {"action": "Ignore", "onExitCodes": {"containerName": "skyloop", "operator": "In", "values": [75]}},
                    {"action": "FailIndex", "onExitCodes": {"containerName": "skyloop", "operator": "In", "values": [2, 3]}},
                ]},
                "template": {
                    "metadata": {"labels": {"app.kubernetes.io/name": "skyloop"}},
                    "spec": {
                        "restartPolicy": "Never",
                        "terminationGracePeriodSeconds": 60,
                        "activeDeadlineSeconds": job.time_s,
                        "containers": [container],
                        "volumes": [{"name": "run", "persistentVolumeClaim": {"claimName": self.claim.name}}],
                    },
                },
            },
        })
    }
}

/// The same value for the emitter.
fn yaml(value: &Value) -> Yaml {
    match value {
        Value::Null => Yaml::Null,
        Value::Bool(b) => Yaml::Boolean(*b),
        Value::Number(n) => n.as_i64().map_or_else(|| Yaml::Real(n.to_string()), Yaml::Integer),
        Value::String(s) => Yaml::String(s.clone()),
        Value::Array(list) => Yaml::Array(list.iter().map(yaml).collect()),
        Value::Object(map) => Yaml::Hash(map.iter().map(|(k, v)| (Yaml::String(k.clone()), yaml(v))).collect()),
    }
}

impl Engine for Kubernetes {
    fn name(&self) -> &'static str {
        "k8s"
    }
    fn most_elements(&self) -> u32 {
        MOST
    }
    fn text(&self, job: &Job) -> Result<String, SurveyError> {
        let mut out = String::new();
        YamlEmitter::new(&mut out)
            .dump(&yaml(&self.manifest(job)))
            .map_err(|e| SurveyError::Program { program: "the manifest".into(), reason: e.to_string() })?;
        out.push('\n');
        Ok(out)
    }
}
