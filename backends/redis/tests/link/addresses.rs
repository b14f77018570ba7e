//! Which addresses are taken, and what is said of the others.

use abide_redis::connect::{Address, LinkOptions, Servers};

fn error(scheme: &str, rest: &str) -> String {
    Address::parse(scheme, rest).expect_err(&format!("{scheme}:{rest} is refused")).to_string()
}

#[test]
fn every_form_of_an_address_is_taken() {
    for (scheme, rest) in [
        ("redis", "//localhost"),
        ("redis", "//localhost/"),
        ("redis", "//127.0.0.1:7000/3"),
        ("redis", "//[::1]:7000"),
        ("redis", "//user:p%40ss%2F%3F%23@localhost:7000/3"),
        ("redis", "//:password@localhost"),
        ("rediss", "//localhost"),
        ("rediss", "//localhost/0#insecure"),
        ("unix", "/run/redis.sock"),
        ("unix", "///run/redis.sock"),
        ("redis+sentinel", "//a,b:26380,[::1]/main"),
        ("redis+sentinel", "//user:password@a,b/main/2"),
        ("rediss+sentinel", "//a/main/0"),
        ("redis+cluster", "//a:7000,b"),
        ("rediss+cluster", "//user:password@a:7000,b/0"),
    ] {
        Address::parse(scheme, rest).unwrap_or_else(|error| panic!("{scheme}:{rest}: {error}"));
    }
}

#[test]
fn a_wrong_address_is_refused_with_what_is_wrong_and_what_is_accepted() {
    for (scheme, rest, wrong, accepted) in [
        ("http", "//a", "`http:` is not one of redis", "`redis+cluster:`"),
        ("redis", "", "no `//`", "`redis://user:password@host:6379/0`"),
        ("redis", "//", "an empty host", "`redis://"),
        ("redis", "//a:port", "a host or a port", "`redis://"),
        ("redis", "//a:70000", "a host or a port", "`redis://"),
        ("redis", "//a:0", "a port", "`redis://"),
        ("redis", "//a/one", "a database", "`redis://"),
        ("redis", "//a/-1", "a database", "`redis://"),
        ("redis", "//a,b", "more than one host", "`redis://"),
        ("redis", "//a?db=1", "a `?`", "`redis://"),
        ("redis", "//a#insecure", "`#insecure` without TLS", "`redis://"),
        ("rediss", "//a#other", "a `#`", "`rediss://"),
        ("redis", "//user@a", "a user without a password", "`redis://"),
        ("redis", "//user:%ff@a", "not UTF-8", "`redis://"),
        ("unix", "redis.sock", "no absolute path", "`unix:/path"),
        ("unix", "/", "no absolute path", "`unix:/path"),
        ("redis+sentinel", "//a,b", "no name of a master", "sentinel2/master/0`"),
        ("redis+sentinel", "//a,,b/main", "an empty host", "sentinel2/master/0`"),
        ("redis+cluster", "//a/1", "database 0 alone", "not 1"),
    ] {
        let error = error(scheme, rest);
        assert!(error.contains(wrong) && error.contains(accepted), "{scheme}:{rest}: {error}");
    }
}

#[test]
fn no_part_of_a_password_is_ever_shown() {
    // Wherever a character stands that should have been encoded, both halves stay hidden.
    for strange in ["/", "?", "#", "@", ":", "%", "%zz", ",", "[", "]", "\\", " ", "ü", "#insecure"] {
        for scheme in Address::SCHEMES {
            let url = format!("//somebody:s3cr{strange}3tly@localhost:6379/main/0");
            let shown = match Address::parse(scheme, &url) {
                Ok(address) => format!("{address:?}"),
                Err(error) => format!("{error} {error:?}"),
            };
            for part in ["s3cr", "3tly", "somebody"] {
                assert!(!shown.contains(part), "{scheme}:{url}: {shown}");
            }
        }
    }
}

#[tokio::test]
async fn neither_a_link_nor_its_options_show_a_password() {
    let address = Address::parse("redis", "//somebody:s3cr3t@localhost:1").unwrap();
    let options = LinkOptions::new().sentinel_login(Some("somebody".into()), "s3cr3t");
    let shown = format!("{options:?} {:?}", Servers::open(address, options.clone()).unwrap());
    assert!(!shown.contains("s3cr3t") && !shown.contains("somebody"), "{shown}");
}

#[tokio::test]
async fn tls_that_takes_any_certificate_must_be_asked_for_in_so_many_words() {
    let address = || Address::parse("rediss", "//localhost:1#insecure").unwrap();
    let error = Servers::open(address(), LinkOptions::new()).unwrap_err().to_string();
    assert!(error.contains("`#insecure` is refused") && error.contains("allow_insecure_tls"), "{error}");
    Servers::open(address(), LinkOptions::new().allow_insecure_tls(true)).unwrap();
}

#[tokio::test]
async fn certificates_that_are_none_are_refused() {
    let address = Address::parse("rediss", "//localhost:1").unwrap();
    let pem = "-----BEGIN CERTIFICATE-----\n!\n-----END CERTIFICATE-----\n";
    let error = Servers::open(address, LinkOptions::new().tls_roots(pem)).unwrap_err().to_string();
    assert!(error.contains("expected certificates as PEM"), "{error}");
}
