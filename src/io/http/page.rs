//! The page at `/`: one document that knows nothing, and asks for `status.json` while it is looked
//! at. It loads nothing else, and its policy lets the browser run this one script and make no
//! markup of texts.

use axum::http::HeaderName;
use axum::http::header::{CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_FRAME_OPTIONS};

const BODY: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// With the SHA-256 of the style and of the script; a test says what they are.
const POLICY: &str = concat!(
    "default-src 'none'; connect-src 'self'; img-src data:; ",
    "style-src 'sha256-d552wDmtDxqBaclsthZYe2uItYDXLCEx3xsb/1ba4Jo='; ",
    "script-src 'sha256-3TnSENvk19wVpNJWyanI2dzRQSs9kfF2rLX8BSKVF/Y='; ",
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'; ",
    "require-trusted-types-for 'script'; trusted-types 'none'",
);

/// What goes with it.
pub const HEADERS: [(HeaderName, &str); 3] = [
    (CONTENT_SECURITY_POLICY, POLICY),
    (X_FRAME_OPTIONS, "DENY"),
    (REFERRER_POLICY, "no-referrer"),
];

/// The whole page.
pub fn html() -> String {
    let head = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
                <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\
                <meta name=\"color-scheme\" content=\"light dark\">\
                <title>Watchfire</title><link rel=\"icon\" href=\"data:image/svg+xml,\
                %3Csvg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 24 24'%3E\
                %3Cpath fill='%23b23c0a' d='M12 2c1 4-5 6-5 12a5 5 0 0 0 10 0c0-2-1-3.5-1.5-4.5\
                -.5 1.5-1 2-2 2.5C14.5 9 14 5 12 2z'/%3E%3C/svg%3E\"><style>";
    [
        head,
        STYLE,
        "</style></head><body>",
        BODY,
        "<script>",
        SCRIPT,
        "</script></body></html>\n",
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use openssl::base64;
    use openssl::sha::sha256;

    use super::*;

    #[test]
    fn the_policy_has_the_hashes_of_style_and_script() {
        for (directive, text) in [("style-src", STYLE), ("script-src", SCRIPT)] {
            let hash = base64::encode_block(&sha256(text.as_bytes()));
            let wanted = format!("{directive} 'sha256-{hash}';");
            assert!(POLICY.contains(&wanted), "POLICY needs: {wanted}");
        }
    }

    #[test]
    fn nothing_of_the_page_makes_markup_of_texts_or_asks_elsewhere() {
        for word in [
            "innerHTML",
            "outerHTML",
            "insertAdjacentHTML",
            "document.write",
            "eval(",
            "Function(",
            "http:",
            "https:",
            "setAttribute(\"on",
            ".style.",
        ] {
            let svg = SCRIPT.replace("http://www.w3.org/2000/svg", "");
            assert!(!svg.contains(word) && !STYLE.contains(word), "{word}");
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        let is_code = |word: &str| word.starts_with("on") && word.contains('=');
        let has_code = BODY.split_whitespace().any(is_code);
        assert!(!has_code && !BODY.contains(" style="), "no inline code");
    }
}
