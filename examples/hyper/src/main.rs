//! A counter for each visitor without a framework: `cargo run -p hyper-example`, then open <http://127.0.0.1:3000>.

use abide::{Config, Session};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::server::conn::http1;
use hyper_util::rt::TokioIo;
use hyper_util::service::TowerToHyperService;
use tower::{ServiceBuilder, service_fn};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let sessions = Config::new().insecure_http(true).and_load()?.open().await?;
    let service = ServiceBuilder::new().layer(sessions.layer()).service(service_fn(home));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:3000").await?;
    println!("listening on http://{}", listener.local_addr()?);
    loop {
        let (stream, _) = listener.accept().await?;
        let service = TowerToHyperService::new(service.clone());
        tokio::spawn(async move {
            if let Err(error) = http1::Builder::new().serve_connection(TokioIo::new(stream), service).await {
                eprintln!("{error}");
            }
        });
    }
}

async fn home(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, abide::Error> {
    let session = Session::of(&request)?;
    let visits = session.increment("visits", 1).await?;
    Ok(Response::new(Full::from(format!("visit {visits}\n"))))
}
