//! The connection string of an Event Hubs namespace:
//! `Endpoint=sb://NAMESPACE/;SharedAccessKeyName=NAME;SharedAccessKey=KEY`.
//!
//! What is wrong with one is said by the name or the number of a part, never with a value: in a
//! string that is cut at the wrong places the key may stand anywhere.

use super::secret::Secret;

const ENDPOINT: &str = "Endpoint";
const KEY_NAME: &str = "SharedAccessKeyName";
const KEY: &str = "SharedAccessKey";
const HUB: &str = "EntityPath";
const EMULATOR: &str = "UseDevelopmentEmulator";

/// The parts that a connection string can have.
const NAMES: [&str; 5] = [ENDPOINT, KEY_NAME, KEY, HUB, EMULATOR];

/// Where to get one, for those who have half of it.
const COPY: &str = "copy the whole connection string from the namespace's shared access policies";

/// A connection string, taken apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The namespace's host.
    pub host: String,
    /// Whether it is that of the emulator, which has no TLS.
    pub emulator: bool,
    /// The event hub that it names, if it names one.
    pub hub: Option<String>,
    /// The whole string with the names as Event Hubs writes them, to log in with.
    pub password: Secret,
}

impl Connection {
    /// Takes a connection string apart. Around it blanks, line ends, a byte order mark and one
    /// pair of quotes do not count: files and tools put them there, and no string has them.
    ///
    /// # Errors
    ///
    /// What is wrong with it, to go on after "the connection string ".
    pub fn parse(written: &str) -> Result<Connection, String> {
        let text = unwrapped(written)?;
        check_separators(text)?;
        let mut values = [None; NAMES.len()];
        let parts = text.strip_suffix(';').unwrap_or(text).split(';');
        for (number, part) in (1..).zip(parts) {
            let (place, value) = read_part(number, part.trim_matches(' '))?;
            if let Some(slot) = values.get_mut(place) {
                if slot.is_some() {
                    return Err(format!("has {} twice", name_of(place)));
                }
                *slot = Some(value);
            }
        }
        let [endpoint, key_name, key, hub, emulator] = values;
        let (Some(endpoint), Some(key_name), Some(key)) = (endpoint, key_name, key) else {
            return Err(lacking(&values));
        };
        let host = host_of(endpoint)?;
        let canonical: Vec<String> = values
            .iter()
            .zip(NAMES)
            .filter_map(|(value, name)| value.map(|value| format!("{name}={value}")))
            .collect();
        check_value(KEY_NAME, key_name, is_in_name)?;
        check_value(KEY, key, |c| is_in_name(c) || matches!(c, '+' | '/' | '='))?;
        if let Some(hub) = hub {
            check_value(HUB, hub, is_in_name)?;
        }
        Ok(Connection {
            host: host.to_owned(),
            emulator: is_true(emulator)?,
            hub: hub.map(str::to_owned),
            password: Secret::new(&canonical.join(";")),
        })
    }
}

/// Without what stands around a connection string.
fn unwrapped(written: &str) -> Result<&str, String> {
    let text = written.trim_start_matches('\u{feff}').trim();
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\''));
    let text = match quote {
        None => text,
        Some(quote) => text
            .strip_prefix(quote)
            .and_then(|text| text.strip_suffix(quote))
            .ok_or("begins with a quote and does not end with it")?
            .trim(),
    };
    match text {
        "" => Err(format!("is empty; {COPY}, or unset the variable")),
        some => Ok(some),
    }
}

/// Says where something else than a semicolon separates the parts.
fn check_separators(text: &str) -> Result<(), String> {
    let odd = |found: &str| {
        Err(format!(
            "has {found}; its parts are separated by semicolons"
        ))
    };
    if text.contains('%') {
        return Err("is percent-encoded (it has a %): give it as the portal shows it".to_owned());
    }
    if text.contains(',') {
        return odd("a comma");
    }
    if text.contains(['"', '\'']) {
        return Err("has a quote within".to_owned());
    }
    if !text.is_ascii() || text.contains(|c: char| c.is_ascii_control()) {
        return odd("a line end, or a character that no connection string has");
    }
    match text
        .split(';')
        .any(|part| part.trim_matches(' ').contains(' '))
    {
        true => odd("a blank within a part"),
        false => Ok(()),
    }
}

/// The place in [`NAMES`] and the value of `name=value`.
fn read_part(number: usize, part: &str) -> Result<(usize, &str), String> {
    let Some((name, value)) = part.split_once('=') else {
        return Err(format!("has no = in its part {number}; {COPY}"));
    };
    if name.eq_ignore_ascii_case("SharedAccessSignature") {
        return Err(format!(
            "has a SharedAccessSignature, with which nobody can log in here; use one with \
             {KEY_NAME} and {KEY}"
        ));
    }
    let place = NAMES
        .iter()
        .position(|known| known.eq_ignore_ascii_case(name));
    let place = place.ok_or_else(|| {
        format!(
            "begins its part {number} with none of {}; {COPY}",
            NAMES.join(", ")
        )
    })?;
    match value {
        "" => Err(format!("has an empty {}; {COPY}", name_of(place))),
        some => Ok((place, some)),
    }
}

fn name_of(place: usize) -> &'static str {
    NAMES.get(place).copied().unwrap_or_default()
}

/// Which of the parts that must be there are not.
fn lacking(values: &[Option<&str>]) -> String {
    let needed = values.iter().zip(NAMES).take(3);
    let lacking: Vec<&str> = needed
        .filter(|(value, _)| value.is_none())
        .map(|(_, name)| name)
        .collect();
    format!("has no {}; {COPY}", lacking.join(" and no "))
}

/// `namespace.servicebus.windows.net` of `sb://namespace.servicebus.windows.net/`.
fn host_of(endpoint: &str) -> Result<&str, String> {
    let host = endpoint
        .get(..5)
        .filter(|scheme| scheme.eq_ignore_ascii_case("sb://"))
        .and_then(|scheme| endpoint.get(scheme.len()..));
    let host = host.map(|host| host.trim_end_matches('/'));
    // The port is that of another protocol.
    let host = host.map(|host| match host.split_once(':') {
        Some((host, port)) if port.bytes().all(|digit| digit.is_ascii_digit()) => host,
        Some(_) | None => host,
    });
    host.filter(|host| !host.is_empty() && host.chars().all(is_in_name))
        .ok_or_else(|| format!("has an {ENDPOINT} that is not sb://NAMESPACE/"))
}

fn check_value(name: &str, value: &str, is_legal: fn(char) -> bool) -> Result<(), String> {
    match value.chars().all(is_legal) {
        true => Ok(()),
        false => Err(format!(
            "has a character in its {name} that none has; {COPY}"
        )),
    }
}

fn is_in_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_')
}

fn is_true(emulator: Option<&str>) -> Result<bool, String> {
    match emulator {
        None => Ok(false),
        Some(value) if value.eq_ignore_ascii_case("true") => Ok(true),
        Some(value) if value.eq_ignore_ascii_case("false") => Ok(false),
        Some(_) => Err(format!("has an {EMULATOR} that is neither true nor false")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOST: &str = "Endpoint=sb://ns.servicebus.windows.net/";

    /// What is made of a connection string: host, hub and login, or what is wrong with it. No
    /// complaint has the key `hUsh+/Hush`, nor a half of it.
    fn check(written: &str, expected: &str) {
        let found = match Connection::parse(written) {
            Ok(connection) => format!(
                "{} {} {} {}",
                connection.host,
                connection.hub.as_deref().unwrap_or("-"),
                connection.emulator,
                connection.password.reveal(),
            ),
            Err(why) => {
                assert!(!why.to_lowercase().contains("hush"), "{written}: {why}");
                why
            }
        };
        assert!(found.starts_with(expected), "{written}: {found}");
        assert!(!format!("{:?}", Connection::parse(written)).contains("hUsh"));
    }

    #[test]
    fn reads_connection_strings() {
        let rest = "SharedAccessKeyName=n;SharedAccessKey=hUsh+/Hush=";
        let whole = format!("{HOST};{rest}");
        let plain = format!("ns.servicebus.windows.net - false {whole}");
        for around in [
            whole.clone(),
            format!("{whole};"),
            format!("\u{feff}{whole}\r\n"),
            format!("\"{whole}\""),
            format!("'{whole}'\n"),
            whole.replace(';', "; "),
            whole
                .replace("Endpoint", "endpoint")
                .replace("Shared", "SHARED"),
        ] {
            check(&around, &plain);
        }
        check(
            &format!("{whole};EntityPath=logs"),
            &format!("ns.servicebus.windows.net logs false {whole};EntityPath=logs"),
        );
        check(
            &format!("Endpoint=sb://localhost:5672;{rest};UseDevelopmentEmulator=true;"),
            "localhost - true Endpoint=sb://localhost:5672;",
        );
    }

    #[test]
    fn says_which_part_is_wrong() {
        let key = "SharedAccessKey=hUsh+/Hush=";
        let whole = format!("{HOST};SharedAccessKeyName=n;{key}");
        check("", "is empty");
        check("  \"\" ", "is empty");
        check(&format!("\"{whole}"), "begins with a quote");
        check(&format!("{whole}\""), "has a quote within");
        check(&whole.replace(';', "%3B"), "is percent-encoded");
        check(&whole.replace("hUsh+", "hUsh%2B"), "is percent-encoded");
        check(&whole.replace(';', ","), "has a comma");
        check(&whole.replace(';', " "), "has a blank within a part");
        check(&whole.replace(';', "\n"), "has a line end");
        check(&whole.replace(';', "；"), "has a line end, or a character");
        check(&whole.replace(';', ":"), "has no SharedAccessKeyName and");
        check("hUsh+/Hush=", "begins its part 1 with none of Endpoint");
        check("hUsh", "has no = in its part 1");
        check(&format!("{HOST};;{key}"), "has no = in its part 2");
        check(
            &format!("{HOST};hUsh+/Hush=x;{key}"),
            "begins its part 2 with none",
        );
        check(&format!("{whole};{key}"), "has SharedAccessKey twice");
        check(
            &whole.replace("hUsh+/Hush=", ""),
            "has an empty SharedAccessKey",
        );
        check(&format!("{HOST};{key}"), "has no SharedAccessKeyName");
        check(
            &format!("SharedAccessKeyName=n;{key}"),
            "has no Endpoint; copy",
        );
        check(HOST, "has no SharedAccessKeyName and no SharedAccessKey;");
        check(
            &format!("{HOST};SharedAccessSignature=sr=hUsh"),
            "has a SharedAccessSignature",
        );
        check(
            &whole.replace("sb://", "https://"),
            "has an Endpoint that is not",
        );
        check(
            &whole.replace("sb://ns", "sb://a@ns"),
            "has an Endpoint that is not",
        );
        check(
            &whole.replace("hUsh+/", "hUsh@"),
            "has a character in its SharedAccessKey ",
        );
        check(
            &format!("{whole};EntityPath=a/b"),
            "has a character in its EntityPath",
        );
        check(
            &format!("{whole};UseDevelopmentEmulator=yes"),
            "has an UseDevelopmentEmulator",
        );
    }
}
