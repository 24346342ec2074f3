//! All routes, and their description.

use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tower_http::catch_panic::CatchPanicLayer;
use utoipa::OpenApi;
use utoipa::openapi::security::{HttpAuthScheme, HttpBuilder, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::error::ApiError;
use crate::http::{guard, headers};
use crate::videos::append::AppendEvent;
use crate::videos::upload::UploadEvent;
use crate::videos::{append, library, search, tree, upload, views};
use crate::{chat, live, page, status};

/// The API of `vqtoken serve`: chat completions about videos as OpenAI's clients speak them, and the videos that are stored.
#[derive(OpenApi)]
#[openapi(components(schemas(AppendEvent, UploadEvent)))]
struct Api;

/// The routes with their description.
fn described() -> OpenApiRouter<Arc<App>> {
    let mut api = Api::openapi();
    let bearer = SecurityScheme::Http(HttpBuilder::new().scheme(HttpAuthScheme::Bearer).build());
    api.components.get_or_insert_default().add_security_scheme("key", bearer);
    OpenApiRouter::with_openapi(api)
        .routes(routes!(chat::handler::completions))
        .routes(routes!(status::models))
        .routes(routes!(upload::upload, library::list))
        .routes(routes!(append::append))
        .routes(routes!(library::show, library::remove))
        .routes(routes!(search::find))
        .routes(routes!(views::tokens))
        .routes(routes!(views::map))
        .routes(routes!(tree::tree))
        .routes(routes!(views::picture))
        .routes(routes!(views::frame))
        .routes(routes!(live::begin::begin, live::routes::list))
        .routes(routes!(live::routes::show, live::routes::end))
        .routes(routes!(live::routes::frame))
        .routes(routes!(live::routes::events))
        .routes(routes!(live::routes::map))
        .routes(routes!(status::health))
        .routes(routes!(status::ready))
        .routes(routes!(status::show_metrics))
        .routes(routes!(status::openapi))
}

/// The description of all routes.
pub(crate) fn openapi() -> Result<bytes::Bytes, serde_json::Error> {
    let (_, api) = described().split_for_parts();
    serde_json::to_vec(&api).map(Into::into)
}

/// The routes, and what every request goes through.
pub(crate) fn router(app: Arc<App>) -> Router {
    let (router, _) = described().split_for_parts();
    router
        .route("/", get(page::index))
        .route("/page/{*path}", get(page::asset))
        .fallback(no_route)
        .method_not_allowed_fallback(no_method)
        .layer(axum::middleware::from_fn_with_state(app.clone(), guard::guard))
        .layer(CatchPanicLayer::custom(headers::panicked))
        .layer(axum::middleware::from_fn_with_state(app.clone(), headers::around))
        .layer(axum::extract::DefaultBodyLimit::disable())
        .with_state(app)
}

async fn no_route(request: Request) -> Response {
    ApiError::NoRoute { path: request.uri().path().to_owned() }.into_response()
}

async fn no_method(request: Request) -> Response {
    let (path, method) = (request.uri().path().to_owned(), request.method().to_string());
    ApiError::Method { path, method }.into_response()
}
