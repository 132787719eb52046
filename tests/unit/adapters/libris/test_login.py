"""Tokens: got, kept, renewed by one thread, and never shown."""

import socket
import ssl
import threading
from concurrent.futures import ThreadPoolExecutor
from urllib.parse import parse_qs, urlencode

import httpx
import pytest

from bulkrunner.adapters.libris.login import LEAST_LIFE, LONGEST_LIFE, TRIES, UNTOLD_LIFE
from bulkrunner.domain.rights import Permission
from bulkrunner.errors import CatalogueUnreachable, LoginDown, LoginRefused
from tests.support.client import SECRET, SHORT, TOKEN, bench, good_login, permission


def done(request):
    return httpx.Response(204)


def delete(made):
    return made.catalogue.delete(SHORT, active_sigel="Ylm")


def token_answer(token, life=36000, **more):
    return httpx.Response(
        200, json={"access_token": token, "expires_in": life, "token_type": "Bearer", **more}
    )


def numbered(life=36000):
    """A login whose every token has another number."""
    lock = threading.Lock()
    given = []

    def login(request):
        with lock:
            given.append(f"token-{len(given) + 1}")
            return token_answer(given[-1], life)

    return login


def carried(made):
    return [request.headers["authorization"] for request in made.requests]


def test_the_token_is_asked_for_by_form_post():
    made = bench(done)
    delete(made)
    (request,) = made.logins
    assert (request.method, str(request.url)) == ("POST", "https://login.example.org/oauth/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert parse_qs(request.content.decode()) == {
        "client_id": ["supplier"],
        "client_secret": [SECRET],
        "grant_type": ["client_credentials"],
    }
    assert "authorization" not in request.headers


def test_one_token_serves_many_writes():
    made = bench(done, numbered())
    for _ in range(5):
        delete(made)
    assert carried(made) == ["Bearer token-1"] * 5
    assert len(made.logins) == 1


@pytest.mark.parametrize(
    ("life", "still", "renewed"), [(36000, 35699, 35701), (600, 539, 541), (10, 8, 9.5)]
)
def test_a_token_is_renewed_before_it_ends(life, still, renewed):
    made = bench(done, numbered(life))
    delete(made)
    made.clock.seconds = 1000 + still
    delete(made)
    assert len(made.logins) == 1
    made.clock.seconds = 1000 + renewed
    delete(made)
    assert carried(made)[-1] == "Bearer token-2"


ANSWER = '{"access_token": "one", "token_type": "Bearer"%s}'


@pytest.mark.parametrize(
    ("body", "life"),
    [
        (ANSWER % "", UNTOLD_LIFE),
        *(
            (ANSWER % f', "expires_in": {told}', life)
            for told, life in {
                "null": UNTOLD_LIFE,
                "0": UNTOLD_LIFE,
                "-36000": UNTOLD_LIFE,
                "NaN": UNTOLD_LIFE,
                "true": UNTOLD_LIFE,
                '"long"': UNTOLD_LIFE,
                '""': UNTOLD_LIFE,
                "[36000]": UNTOLD_LIFE,
                '"36000"': 36000,
                '" 3600.0 "': 3600,
                "36e3": 36000,
                "0.001": LEAST_LIFE,
                "9" * 5000: LONGEST_LIFE,
                "1e999": LONGEST_LIFE,
                '"Infinity"': LONGEST_LIFE,
            }.items()
        ),
        ('\ufeff{"access_token": "one", "expires_in": 600, "more": {"a": [1]}}', 600),
        ('{"access_token": "one", "token_type": "bearer", "scope": [1], "expires_in": 600}', 600),
        ('{"access_token": "one", "token_type": null, "scope": null, "expires_in": 600}', 600),
        ('{"access_token": "one", "token_type": " BEARER", "expires_in": 600.5}', 600.5),
    ],
)
def test_what_is_left_open_of_a_token_is_put_up_with(body, life):
    headers = {"content-type": "application/json;charset=UTF-8"}
    made = bench(done, lambda request: httpx.Response(200, content=body, headers=headers))
    delete(made)
    token = made.login.token()
    assert (token.value, token.ends_at - 1000) == ("one", life)
    assert 1000 + life / 2 < token.renew_at < token.ends_at
    assert len(made.logins) == 1


def test_a_living_token_is_used_on_while_the_login_is_down():
    down = []

    def login(request):
        return httpx.Response(503) if down else token_answer("only", 36000)

    made = bench(done, login)
    delete(made)
    down.append(True)
    made.clock.seconds += 35800
    delete(made)
    asked = len(made.logins)
    delete(made)
    assert len(made.logins) == asked, "not asked again for a while"
    assert carried(made) == ["Bearer only"] * 3
    made.clock.seconds += 300
    with pytest.raises(LoginDown):
        delete(made)


def test_many_threads_with_one_dead_token_cause_one_renewal():
    made = bench(done, numbered())
    barrier = threading.Barrier(8)

    def work(_):
        delete(made)
        barrier.wait()
        made.catalogue.renew_token()
        delete(made)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    assert len(made.logins) == 2
    assert sorted(carried(made)) == ["Bearer token-1"] * 8 + ["Bearer token-2"] * 8


def test_many_threads_share_one_failure():
    waiting = threading.Semaphore(0)

    def login(request):
        if request.url.path == "/oauth/token" and not made.requests:
            return token_answer("first")
        waiting.acquire()
        return httpx.Response(401, json={"error": "invalid_client"})

    made = bench(done, login)
    delete(made)
    dead = made.login.token()
    refused = []

    def renew():
        try:
            made.login.renew(dead)
        except LoginRefused as error:
            refused.append(error)

    # The first holds the lock at the login; the second has counted failures before it waits.
    first, second = threading.Thread(target=renew), threading.Thread(target=renew)
    first.start()
    second.start()
    waiting.release(2)
    first.join()
    second.join()
    assert len(refused) == 2
    assert len({str(error) for error in refused}) == 1


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (httpx.Response(401, json={"error": "invalid_client"}), "invalid_client"),
        (
            httpx.Response(
                400, json={"error": "unsupported_grant_type", "error_description": "no"}
            ),
            "unsupported_grant_type: no",
        ),
    ],
)
def test_a_refusal_speaks_in_the_logins_own_words(answer, words):
    made = bench(done, lambda request: answer)
    with pytest.raises(LoginRefused) as caught:
        delete(made)
    assert words in caught.value.message
    assert "login.example.org" in caught.value.message
    assert "supplier" in caught.value.hint
    assert caught.value.exit_code == 7
    assert len(made.logins) == 1, "a no is not asked again"
    assert not made.requests


@pytest.mark.parametrize(
    "trouble",
    [
        httpx.Response(500, html="<h1>Internal Server Error</h1>"),
        httpx.Response(503),
        httpx.Response(429),
        httpx.Response(403, html="<h1>Forbidden</h1>"),
        httpx.Response(401),
        httpx.Response(404, json={"message": "no Route matched"}),
        httpx.ConnectError("refused"),
        httpx.ReadTimeout("slow"),
    ],
)
def test_a_login_that_does_not_answer_is_down(trouble):
    def login(request):
        if isinstance(trouble, Exception):
            raise trouble
        return trouble

    made = bench(done, login)
    with pytest.raises(LoginDown) as caught:
        delete(made)
    assert caught.value.exit_code == 7
    assert "cannot be reached" in caught.value.message
    assert len(made.logins) == TRIES
    assert not made.requests


def failing(cause):
    """A connection that fails as the HTTP library tells it."""

    def answer(request):
        raise httpx.ConnectError(str(cause)) from cause

    return answer


LASTING = [
    (ssl.SSLCertVerificationError("self-signed"), "certificate"),
    (ssl.SSLError("wrong version number"), "TLS"),
    (socket.gaierror(socket.EAI_NONAME, "unknown"), "name"),
    (ConnectionRefusedError("refused"), "listens"),
]


@pytest.mark.parametrize(("cause", "words"), LASTING)
def test_what_time_does_not_mend_is_asked_once(cause, words):
    made = bench(done, failing(cause))
    with pytest.raises(LoginDown, match="cannot be reached") as caught:
        delete(made)
    assert caught.value.lasting
    assert words in caught.value.hint
    assert "login.example.org" in caught.value.hint
    assert len(made.logins) == 1
    made = bench(failing(cause))
    with pytest.raises(CatalogueUnreachable) as unread:
        made.catalogue.read(SHORT)
    assert words in unread.value.hint
    assert len(made.requests) == 1


@pytest.mark.parametrize("cause", [ssl.SSLEOFError("over"), TimeoutError(), OSError("no route")])
def test_what_time_may_mend_is_asked_again(cause):
    made = bench(done, failing(cause))
    with pytest.raises(LoginDown) as caught:
        delete(made)
    assert not caught.value.lasting
    assert len(made.logins) == TRIES


@pytest.mark.parametrize(
    "answer",
    [
        httpx.Response(200, html="<h1>Log in</h1>"),
        httpx.Response(200, json=[]),
        httpx.Response(200, json={"expires_in": 5}),
        token_answer(""),
        token_answer("has blank"),
        token_answer("line\nbreak"),
        token_answer("ÅÄÖ"),
        token_answer(17),
        token_answer("x", token_type="MAC"),
    ],
)
def test_an_unreadable_answer_is_no_token(answer):
    made = bench(done, lambda request: answer)
    with pytest.raises(LoginDown):
        delete(made)
    assert not made.requests


def test_a_redirect_of_the_login_is_not_followed():
    made = bench(
        done, lambda request: httpx.Response(307, headers={"location": "https://evil.example/"})
    )
    with pytest.raises(LoginDown, match=r"307 to https://evil\.example/") as caught:
        delete(made)
    assert "Redirects are not followed" in caught.value.hint
    assert {request.url.host for request in made.logins} == {"login.example.org"}


def test_rights_are_those_of_verify():
    def login(request):
        if request.url.path == "/oauth/token":
            return good_login(request)
        rows = [permission("Ylm"), permission("S 62", registrant=False, cataloger=True), "odd", {}]
        return httpx.Response(200, json={"user": {"permissions": rows}})

    made = bench(done, login)
    assert made.catalogue.rights().permissions == (
        Permission(sigel="Ylm", registrant=True, cataloger=False, global_registrant=False),
        Permission(sigel="S 62", registrant=False, cataloger=True, global_registrant=False),
    )
    verify = made.logins[-1]
    assert (verify.method, verify.url.path) == ("GET", "/oauth/verify")
    assert verify.headers["authorization"] == f"Bearer {TOKEN}"


def test_a_flag_that_is_not_true_grants_nothing():
    def login(request):
        if request.url.path == "/oauth/token":
            return good_login(request)
        row = {"code": "Ylm", "registrant": "false", "cataloger": 1, "global_registrant": None}
        return httpx.Response(200, json={"user": {"permissions": [row]}})

    (row,) = bench(done, login).catalogue.rights().permissions
    assert (row.registrant, row.cataloger, row.global_registrant) == (False, False, False)


def test_a_token_that_ended_is_renewed_once_to_ask_for_rights():
    tokens = numbered()

    def login(request):
        if request.url.path == "/oauth/token":
            return tokens(request)
        if request.headers["authorization"] == "Bearer token-1":
            return httpx.Response(401, json={"message": "Bearer token is expired."})
        return httpx.Response(200, json={"user": {"permissions": []}})

    made = bench(done, login)
    assert made.catalogue.rights().permissions == ()
    assert len(made.logins) == 4


def test_a_client_that_verify_does_not_know_is_refused():
    def login(request):
        if request.url.path == "/oauth/token":
            return good_login(request)
        return httpx.Response(401, json={"message": "Bearer token not found."})

    made = bench(done, login)
    with pytest.raises(LoginRefused, match="Bearer token not found"):
        made.catalogue.rights()


def test_nothing_shows_the_secret_or_the_token():
    echoes = urlencode({"client_secret": SECRET}) + f" {SECRET} {TOKEN} " + SECRET * 20

    def login(request):
        if request.url.path == "/oauth/token" and not made.logins[1:]:
            return good_login(request)
        return httpx.Response(401, json={"error": echoes})

    made = bench(done, login)
    token = made.login.token()
    with pytest.raises(LoginRefused) as caught:
        made.login.renew(token)
    shown = " ".join(
        [
            str(caught.value),
            caught.value.hint,
            repr(caught.value),
            repr(token),
            repr(made.login),
            repr(made.login._credentials),
            repr(made.catalogue),
        ]
    )
    for hidden in (SECRET, TOKEN, urlencode({"": SECRET})[1:], SECRET[:8]):
        assert hidden not in shown


def test_no_log_record_holds_the_secret_or_the_token(caplog):
    caplog.set_level(0)
    made = bench(done)
    delete(made)
    made.catalogue.rights()
    written = " ".join(record.getMessage() + repr(record.args) for record in caplog.records)
    assert SECRET not in written
    assert TOKEN not in written


def test_a_thread_that_has_not_written_yet_renews_too():
    made = bench(done, numbered())
    made.catalogue.ensure_token()
    made.catalogue.renew_token()
    delete(made)
    assert carried(made) == ["Bearer token-2"]
