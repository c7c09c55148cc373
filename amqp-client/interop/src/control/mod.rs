//! What scenarios need done to a broker from outside: queues of a certain shape, queues deleted, connections closed.
//!
//! RabbitMQ and Broker-J are managed by HTTP, Artemis by messages. Each function does the same with every broker, or says that it can not.

mod artemis;
mod http;

use std::time::Duration;

use amqp_client::ConnectionOptions;
use serde_json::{Value, json};

use crate::peer::{Kind, PROPERTY, Peer};

/// What a queue does that others do not.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Shape {
    /// Holds so many messages and rejects the next one.
    pub(crate) limit: Option<u32>,
    /// Of Broker-J: takes credit away when it is full instead of rejecting.
    pub(crate) flow_control: bool,
    /// After so many attempts a message goes to the queue `dead` of the same run.
    pub(crate) attempts: Option<u32>,
    /// Of RabbitMQ: a classic queue instead of a quorum queue.
    pub(crate) classic: bool,
    /// Of Broker-J: has one consumer at most.
    pub(crate) exclusive: bool,
    /// Of Broker-J: keeps messages back until their delivery time.
    pub(crate) hold: bool,
}

/// Makes a queue. Artemis makes it on demand, with the shape that its name asks for.
pub(crate) async fn make_queue(peer: &Peer, name: &str, shape: Shape) -> Result<(), String> {
    match peer.kind {
        Kind::Artemis => Ok(()),
        Kind::Rabbit => {
            let kind = if shape.classic { "classic" } else { "quorum" };
            let mut arguments = json!({ "x-queue-type": kind });
            if let Some(limit) = shape.limit {
                arguments["x-max-length"] = limit.into();
                arguments["x-overflow"] = "reject-publish".into();
            }
            if !shape.classic {
                arguments["x-delivery-limit"] = shape.attempts.map_or(-1, i64::from).into();
            }
            if shape.attempts.is_some() {
                arguments["x-dead-letter-exchange"] = "".into();
                arguments["x-dead-letter-routing-key"] = peer.name("dead").into();
            }
            let body = json!({ "durable": true, "arguments": arguments });
            let path = format!("/api/queues/%2F/{name}");
            http::call(peer, "PUT", &path, Some(&body)).await.map(drop)
        }
        Kind::BrokerJ => {
            let mut body = json!({});
            if let Some(limit) = shape.limit {
                body["maximumQueueDepthMessages"] = limit.into();
                body["overflowPolicy"] = match shape.flow_control {
                    true => "PRODUCER_FLOW_CONTROL",
                    false => "REJECT",
                }
                .into();
            }
            if let Some(attempts) = shape.attempts {
                body["maximumDeliveryAttempts"] = attempts.into();
                body["alternateBinding"] = json!({ "destination": peer.name("auto.dead") });
            }
            if shape.exclusive {
                body["exclusive"] = "LINK".into();
            }
            if shape.hold {
                body["holdOnPublishEnabled"] = true.into();
            }
            let path = format!("/api/latest/queue/default/default/{name}");
            http::call(peer, "PUT", &path, Some(&body)).await.map(drop)
        }
    }
}

/// Deletes a queue with all that is in it.
pub(crate) async fn delete_queue(peer: &Peer, name: &str) -> Result<(), String> {
    match peer.kind {
        Kind::Artemis => {
            let arguments = json!([name, true]);
            artemis::call(peer, "broker", "destroyQueue", &arguments)
                .await
                .map(drop)
        }
        Kind::Rabbit => {
            let path = format!("/api/queues/%2F/{name}");
            http::call(peer, "DELETE", &path, None).await.map(drop)
        }
        Kind::BrokerJ => {
            let path = format!("/api/latest/queue/default/default/{name}");
            http::call(peer, "DELETE", &path, None).await.map(drop)
        }
    }
}

/// Closes the connections of a container, which are [`Peer::connect_as`]'s; Artemis cuts them instead. RabbitMQ's management
/// knows of a connection some seconds after it was opened.
pub(crate) async fn close_connections(peer: &Peer, container: &str) -> Result<(), String> {
    let find = async {
        loop {
            match close_those(peer, container).await {
                Ok(0) => tokio::time::sleep(Duration::from_millis(200)).await,
                closed => return closed.map(drop),
            }
        }
    };
    let found = tokio::time::timeout(Duration::from_secs(15), find).await;
    found.unwrap_or_else(|_| Err(format!("management knows no connection of {container}")))
}

/// How many connections there were.
async fn close_those(peer: &Peer, container: &str) -> Result<usize, String> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut closed = 0;
    match peer.kind {
        Kind::Artemis => {
            let all = json!({ "field": "", "operation": "", "value": "" }).to_string();
            let all = json!([all, 1, 1000]);
            let all = artemis::call(peer, "broker", "listConnections", &all).await?;
            for connection in members(&all["data"], "clientID", container) {
                let id = json!([connection["connectionID"]]);
                artemis::call(peer, "broker", "closeConnectionWithID", &id).await?;
                closed += 1;
            }
        }
        Kind::Rabbit => {
            let all = http::call(peer, "GET", "/api/connections", None).await?;
            let properties = |connection: &&Value| {
                connection["client_properties"][PROPERTY].as_str() == Some(container)
            };
            for connection in all.as_array().into_iter().flatten().filter(properties) {
                let path = format!("/api/connections/{}", escaped(&text(&connection["name"])));
                http::call(peer, "DELETE", &path, None).await?;
                closed += 1;
            }
        }
        Kind::BrokerJ => {
            let all = http::call(peer, "GET", "/api/latest/connection", None).await?;
            for connection in members(&all, "clientId", container) {
                let port = text(&connection["port"]);
                let name = escaped(&text(&connection["name"]));
                let path = format!("/api/latest/connection/{port}/{name}");
                http::call(peer, "DELETE", &path, None).await?;
                closed += 1;
            }
        }
    }
    Ok(closed)
}

/// Those of a list that have this under this key.
fn members<'a>(list: &'a Value, key: &'a str, wanted: &'a str) -> impl Iterator<Item = &'a Value> {
    let all = list.as_array().into_iter().flatten();
    all.filter(move |value| value[key].as_str() == Some(wanted))
}

/// A part of the broker that can be gone while the rest goes on: of Broker-J the virtual host, of RabbitMQ a virtual host of its own,
/// of Artemis a listener. Where it is, and as what.
pub(crate) fn host_of(peer: &Peer) -> (String, ConnectionOptions) {
    let options = ConnectionOptions::new();
    match peer.kind {
        Kind::Artemis => (peer.lenient_url(), options),
        Kind::Rabbit => {
            let host = format!("vhost:{}", peer.name("host"));
            (peer.url("guest:guest@"), options.hostname(host))
        }
        Kind::BrokerJ => (peer.url("guest:guest@"), options),
    }
}

/// Starts that part, or stops it with everybody who is connected there.
pub(crate) async fn host(peer: &Peer, active: bool) -> Result<(), String> {
    match peer.kind {
        Kind::Artemis => {
            let operation = if active { "start" } else { "stop" };
            artemis::call(peer, "acceptor.lenient", operation, &json!([]))
                .await
                .map(drop)
        }
        Kind::Rabbit => {
            let path = format!("/api/vhosts/{}", peer.name("host"));
            if !active {
                return http::call(peer, "DELETE", &path, None).await.map(drop);
            }
            http::call(peer, "PUT", &path, Some(&json!({}))).await?;
            permit(peer, &peer.name("host"), "guest").await
        }
        Kind::BrokerJ => {
            let state = if active { "ACTIVE" } else { "STOPPED" };
            let body = json!({ "desiredState": state });
            let path = "/api/latest/virtualhost/default/default";
            http::call(peer, "POST", path, Some(&body)).await.map(drop)
        }
    }
}

/// Sees to it that the user `low` may have two connections; the others are configured so.
pub(crate) async fn limit_user(peer: &Peer) -> Result<(), String> {
    if peer.kind != Kind::Rabbit {
        return Ok(());
    }
    let user = json!({ "password": "low", "tags": "" });
    http::call(peer, "PUT", "/api/users/low", Some(&user)).await?;
    permit(peer, "%2F", "low").await?;
    let two = json!({ "value": 2 });
    let path = "/api/user-limits/low/max-connections";
    http::call(peer, "PUT", path, Some(&two)).await.map(drop)
}

/// Of RabbitMQ: lets a user do everything in a virtual host.
async fn permit(peer: &Peer, host: &str, user: &str) -> Result<(), String> {
    let all = json!({ "configure": ".*", "write": ".*", "read": ".*" });
    let path = format!("/api/permissions/{host}/{user}");
    http::call(peer, "PUT", &path, Some(&all)).await.map(drop)
}

/// A segment of a path: all but letters, digits, `.`, `-` and `_` in percent signs.
fn escaped(text: &str) -> String {
    let octet = |octet: u8| match octet {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'.' | b'-' | b'_' => {
            char::from(octet).to_string()
        }
        other => format!("%{other:02X}"),
    };
    text.bytes().map(octet).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_become_path_segments() {
        assert_eq!(escaped("[1] a:2 > b"), "%5B1%5D%20a%3A2%20%3E%20b");
    }
}
