//! The driver for the crate `iii-sdk`, the same text for each generation; `sdk.rs` hides what differs between them.
//! The commands are described in ../commands.ts.

use std::collections::HashMap;
use std::io::{BufRead, Write};
use std::sync::{Arc, Mutex};

use iii_sdk::errors::Error;
use iii_sdk::{IIIClient, RegisterFunction};
use serde_json::{json, Value};

use crate::sdk;

/// What the commands have made so far.
#[derive(Default)]
pub struct Held {
    clients: Mutex<HashMap<String, IIIClient>>,
    /// What takes a registration back, by client and what it is for.
    handles: Mutex<HashMap<String, Box<dyn FnOnce() + Send>>>,
}

impl Held {
    fn client(&self, name: &str) -> Result<IIIClient, Error> {
        let clients = self.clients.lock().unwrap();
        clients
            .get(name)
            .cloned()
            .ok_or_else(|| Error::Runtime(format!("there is no client {name}")))
    }

    fn keep(&self, key: String, handle: impl FnOnce() + Send + 'static) {
        self.handles.lock().unwrap().insert(key, Box::new(handle));
    }

    fn take_back(&self, key: &str) {
        if let Some(handle) = self.handles.lock().unwrap().remove(key) {
            handle();
        }
    }
}

pub fn say(message: &Value) {
    let mut out = std::io::stdout().lock();
    // A test that is over reads no more.
    let _ = writeln!(out, "@{message}");
    let _ = out.flush();
}

/// A handler gets what was sent plus the caller's id, which differs with every run.
fn without_caller(mut data: Value) -> Value {
    if let Some(object) = data.as_object_mut() {
        object.remove("_caller_worker_id");
    }
    data
}

async fn behave(
    held: Arc<Held>,
    client: String,
    function_id: String,
    does: String,
    data: Value,
    metadata: Option<Value>,
) -> Result<Value, Error> {
    let called = |data: Value| {
        say(&json!({
            "event": "called", "client": client, "function_id": function_id,
            "data": without_caller(data), "metadata": metadata,
        }));
    };
    match does.as_str() {
        "echo" => Ok(without_caller(data)),
        "record" => {
            called(data);
            Ok(json!({"ok": true}))
        }
        "metadata" => Ok(metadata.unwrap_or_else(|| json!("none"))),
        "nothing" => Ok(Value::Null),
        "throw" => Err(Error::Handler("boom".into())),
        "refuse" => Err(sdk::refusal("OUT_OF_STOCK", "no tea left")),
        "relay" => {
            let target = data["function_id"].as_str().unwrap_or_default();
            let result = sdk::call(
                &held.client(&client)?,
                target,
                data["payload"].clone(),
                false,
                None,
                None,
            )
            .await?;
            Ok(json!({"relayed": result}))
        }
        "grow" => Ok(json!({"text": "x".repeat(data["characters"].as_u64().unwrap_or(0) as usize)})),
        "page" => Ok(json!({"status_code": 201, "body": {"got": data["body"]}})),
        "hang" => {
            called(data);
            std::future::pending().await
        }
        _ => Err(Error::Handler(format!("cannot {does}"))),
    }
}

fn text(command: &Value, field: &str) -> String {
    command[field].as_str().unwrap_or_default().to_string()
}

fn optional(command: &Value, field: &str) -> Option<Value> {
    command.get(field).filter(|value| !value.is_null()).cloned()
}

async fn carry_out(held: Arc<Held>, command: &Value) -> Result<Value, Error> {
    let name = text(command, "client");
    let function_id = text(command, "function_id");
    let trigger_type = text(command, "trigger_type");
    if command["do"] == "connect" {
        let client = sdk::connect(
            &text(command, "url"),
            command["name"].as_str(),
            command["namespace"].as_str(),
        );
        held.clients.lock().unwrap().insert(name, client.clone());
        return sdk::until_connected(&client).await.map(|()| Value::Null);
    }
    let client = held.client(&name)?;
    match command["do"].as_str().unwrap_or_default() {
        "state" => {
            return Ok(json!(
                format!("{:?}", client.get_connection_state()).to_lowercase()
            ))
        }
        "function" => {
            let (id, does, kept) = (function_id.clone(), text(command, "does"), held.clone());
            let key = format!("function {name} {id}");
            let handler = move |data: Value, metadata: Option<Value>| {
                behave(
                    kept.clone(),
                    name.clone(),
                    id.clone(),
                    does.clone(),
                    data,
                    metadata,
                )
            };
            let handle = client.register_function(function_id, RegisterFunction::new_async(handler));
            held.keep(key, move || handle.unregister());
        }
        "unregister_function" => held.take_back(&format!("function {name} {function_id}")),
        "call" => {
            let void = command["void"] == true;
            let payload = command["payload"].clone();
            return sdk::call(
                &client,
                &function_id,
                payload,
                void,
                command["queue"].as_str().map(str::to_string),
                optional(command, "metadata"),
            )
            .await;
        }
        "provide" => {
            let refuse = command["refuse"].as_str().map(str::to_string);
            let key = format!("type {name} {trigger_type}");
            held.keep(key, sdk::provide(&client, name, trigger_type, refuse)?);
        }
        "withdraw" => held.take_back(&format!("type {name} {trigger_type}")),
        "bind" => {
            let key = format!("binding {name} {function_id}");
            let config = command["config"].clone();
            let metadata = optional(command, "metadata");
            held.keep(
                key,
                sdk::bind(&client, trigger_type, function_id, config, metadata)?,
            );
        }
        "unbind" => held.take_back(&format!("binding {name} {function_id}")),
        "shutdown" => {
            held.clients.lock().unwrap().remove(&name);
            // It waits for a thread, which would hold the runtime up.
            let _ = tokio::task::spawn_blocking(move || client.shutdown()).await;
        }
        other => return Err(Error::Runtime(format!("there is no command {other}"))),
    }
    Ok(Value::Null)
}

fn error_body(error: &Error) -> Value {
    match error {
        Error::Remote { code, message, .. } => json!({"code": code, "message": message}),
        other => json!({"code": "driver", "message": other.to_string()}),
    }
}

pub async fn run() {
    let held = Arc::new(Held::default());
    let (lines, mut commands) = tokio::sync::mpsc::unbounded_channel::<String>();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    // The end of the input is the end of the driver.
    while let Some(line) = commands.recv().await {
        let Ok(command) = serde_json::from_str::<Value>(&line) else {
            continue;
        };
        let held = held.clone();
        tokio::spawn(async move {
            let id = &command["id"];
            say(&match carry_out(held, &command).await {
                Ok(value) => json!({"id": id, "value": value}),
                Err(error) => json!({"id": id, "error": error_body(&error)}),
            });
        });
    }
    std::process::exit(0);
}
