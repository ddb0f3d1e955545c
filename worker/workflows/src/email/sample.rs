//! A small mailbox to try: invented people, written for this purpose.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

const MAILBOX: &str = "\
From me@eso.example Mon Nov  2 09:00:00 2026\r
From: Kim <me@eso.example>\r
To: Ada Stone <ada@fund.example>\r
Date: Mon, 02 Nov 2026 10:00:00 +0100\r
Message-ID: <1@eso.example>\r
Subject: Spring programme\r
\r
Dear Ada,\r
\r
would you have time to talk about the spring programme next week?\r
\r
Kim\r
\r
From ada@fund.example Mon Nov  2 15:30:00 2026\r
From: Ada Stone <Ada@Fund.example>\r
To: me@eso.example\r
Date: Mon, 02 Nov 2026 15:30:00 +0000\r
Message-ID: <2@fund.example>\r
In-Reply-To: <1@eso.example>\r
References: <1@eso.example>\r
Subject: Re: Spring programme\r
\r
Dear Kim, I would love to! Tuesday is great for me.\r
\r
On Mon, 2 Nov 2026 at 10:00, Kim <me@eso.example> wrote:\r
> would you have time to talk about the spring programme next week?\r
\r
From me@eso.example Thu Nov  5 08:10:00 2026\r
From: me@eso.example\r
To: ada+grants@fund.example, Ben <ben@school.example>\r
Date: Thu, 05 Nov 2026 09:10:00 +0100\r
Message-ID: <3@eso.example>\r
In-Reply-To: <2@fund.example>\r
References: <1@eso.example> <2@fund.example>\r
Subject: Re: Spring programme\r
\r
Wonderful, Tuesday at ten it is. Ben will join us.\r
\r
-- \r
Kim, Example ESO\r
\r
From ben@school.example Sat Nov  7 20:00:00 2026\r
From: ben@school.example\r
To: me@eso.example\r
Date: Sat, 07 Nov 2026 20:00:00 +0000\r
Message-ID: <4@school.example>\r
Auto-Submitted: auto-replied\r
In-Reply-To: <3@eso.example>\r
Subject: Out of office\r
\r
I am away until Monday.\r
\r
From news@list.example Sun Nov  8 06:00:00 2026\r
From: news@list.example\r
To: me@eso.example\r
Date: Sun, 08 Nov 2026 06:00:00 +0000\r
Message-ID: <5@list.example>\r
List-Id: <news.list.example>\r
Subject: This week\r
\r
Grants that opened this week.\r
";

/// Three mails of a thread, an automatic answer and a newsletter.
pub(crate) fn example() -> Value {
    json!({
        "as_of": "2026-11-23",
        "owner_addresses": ["me@eso.example"],
        "aliases": {"ada@fund.example": ["a.stone@fund.example"]},
        "source": {"kind": "mbox", "data": {"content_base64": STANDARD.encode(MAILBOX)}},
        "sponsor_domains": {"fund.example": "s1"},
        "known_message_ids": ["1@eso.example"],
        "params": {"window_days": 365, "reply_window_days": 14},
    })
}
