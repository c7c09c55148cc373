//! What a connection is created with, and the limits that it holds a partner to.
//!
//! Decides the defaults. Sections 2.4, 2.7.1.

use std::time::Duration;

use amqp_types::transport::{Fields, Open};
use amqp_types::{Limits, Str, Symbol};

use super::super::session::{SessionConfig, wished};

/// What a connection says in its open, and what it allows.
#[derive(Clone, Debug)]
pub struct Config {
    /// The container-id. Section 2.4.1. [CON-20]
    pub container_id: Str,
    /// The name of the host that is asked for. Section 2.7.1.
    pub hostname: Option<Str>,
    /// The largest frame that we take, in octets; at least 512. Default 65,536. Section 2.7.1.
    pub max_frame_size: u32,
    /// The largest SASL frame that we take, in octets. The standard says 512, which tokens and
    /// tickets do not fit into. Default 16,384. Section 5.3.1. [SASL-04]
    pub max_sasl_frame_size: u32,
    /// The highest channel that we take. Default 255. Section 2.7.1.
    pub channel_max: u16,
    /// How long the partner may be silent. Half of it is advertised. Default 60 s. Section 2.4.5. [CON-36]
    pub idle_time_out: Option<Duration>,
    /// Capabilities that we offer. Section 2.7.1.
    pub offered_capabilities: Vec<Symbol>,
    /// Capabilities that we would like to use. Section 2.7.1.
    pub desired_capabilities: Vec<Symbol>,
    /// Capabilities without which the connection is of no use: it is closed when the partner does
    /// not offer one. Section 2.7.1. [CON-46]
    pub required_capabilities: Vec<Symbol>,
    /// Connection properties; their keys are symbols by their type. Section 2.7.1. [CON-48]
    pub properties: Option<Fields>,
    /// How many links the partner may attach in all sessions together. Above it a link is refused; above
    /// twice as many, refused ones that the partner keeps included, the session is ended. Default 4096.
    pub max_links: usize,
    /// How many octets the attaches of all links of the partner may have together; above it the session
    /// is ended. Default 4 MiB.
    pub max_link_octets: usize,
    /// What sessions that the partner begins get.
    pub session: SessionConfig,
    /// Bounds for decoding what the partner sends.
    pub decode: Limits,
    /// How many octets are written before other work has its turn. Default 128 KiB.
    pub write_budget: usize,
}

impl Config {
    /// The defaults under a container-id.
    pub fn new(container_id: impl Into<Str>) -> Self {
        Self {
            container_id: container_id.into(),
            hostname: None,
            max_frame_size: 65_536,
            max_sasl_frame_size: 16_384,
            channel_max: 255,
            idle_time_out: Some(Duration::from_secs(60)),
            offered_capabilities: Vec::new(),
            desired_capabilities: Vec::new(),
            required_capabilities: Vec::new(),
            properties: None,
            max_links: 4096,
            max_link_octets: 4 * 1024 * 1024,
            session: SessionConfig::default(),
            decode: Limits::default(),
            write_budget: 128 * 1024,
        }
    }

    /// The open that announces this. Nothing that the engine does depends on a capability: what both
    /// want is for the user to look at. [CON-47]
    pub(crate) fn open(&self) -> Open {
        let mut open = Open::new(self.container_id.clone());
        open.hostname = self.hostname.clone();
        open.max_frame_size = self.max_frame_size;
        open.channel_max = self.channel_max;
        // [CON-36]: half of what is enforced.
        open.idle_time_out = self.idle_time_out.map(|limit| {
            let half = u32::try_from(limit.as_millis() / 2).unwrap_or(u32::MAX);
            amqp_types::transport::Milliseconds(half.max(1))
        });
        open.offered_capabilities = self.offered_capabilities.clone();
        open.desired_capabilities = wished(&self.desired_capabilities, &self.required_capabilities);
        open.properties = self.properties.clone();
        open
    }
}
