//! The HTML part of the alert mail as a browser draws it: for desks and phones, in light and dark.

use std::fs;

use anyhow::Result;
use logwatch_tests::browser;
use logwatch_tests::mail_sink::MailSink;

use crate::{SOON, mailing_server};

#[test]
fn the_html_mail_is_drawn_for_desks_and_phones_in_light_and_dark() -> Result<()> {
    let sink = MailSink::plain()?;
    let server = mailing_server(&sink, &[])?;
    server.sql(
        "SELECT logwatch_ingest(array_agg(to_char(now() - make_interval(secs => i * i), 'YYYY-MM-DD HH24:MI:SSTZH:TZM')
                    || ' ERROR order ' || i || ' <b>failed</b>: ' || repeat('averylongword', 20)), 'shop')
           FROM generate_series(1, 15) AS i",
    )?;
    let mail = sink.wait_for_subject(SOON, "error on")?;
    assert!(!mail.html().contains("<b>failed"), "log text is escaped");
    let page = browser::pictures()?.join("mail.html");
    fs::write(&page, mail.html())?;
    let phone = browser::on_a_phone(&page)?;
    for (page, width) in [(&page, 600), (&phone, 500)] {
        let light = browser::draw(page, width, "light")?;
        let dark = browser::draw(page, width, "dark")?;
        assert_ne!(light, dark, "dark is not light");
    }
    Ok(())
}
