#[path = "../../common/driver.rs"]
mod driver;
mod sdk;
#[path = "../../common/triggers.rs"]
mod triggers;
#[tokio::main]
async fn main() {
    // The client logs what nobody can be told, such as a refused trigger.
    tracing_subscriber::fmt()
        .with_ansi(false)
        .with_writer(std::io::stderr)
        .init();
    driver::run().await;
}
