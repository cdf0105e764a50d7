/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "b64.h"
#include "keytext.h"
#include "util_noise.h"
#include "util_server.h"

enum { S_PROXY, S_HEAD, S_NOISE, S_HTTP, S_STUCK };

static void on_readable(int fd, short what, void *arg);
static void on_writable(int fd, short what, void *arg);

#define MUST(x) \
	do { \
		if (!(x)) { \
			fprintf(stderr, "util_server: %s\n", #x); \
			abort(); \
		} \
	} while (0)

/* --- out --- */

static void
hang_up(struct tserver *t)
{
	event_del(t->rd);
	event_del(t->wr);
	close(t->fd);
	t->fd = -1;
}

void
ts_flush(struct tserver *t)
{
	char tmp[16384];
	size_t n;
	ssize_t w;
	int r;

	if (t->fd == -1)
		return;
	if (t->ssl != NULL) {
		while (SSL_is_init_finished(t->ssl) && buf_len(&t->out) > 0) {
			n = buf_len(&t->out) < 16000 ? buf_len(&t->out) : 16000;
			MUST(SSL_write(t->ssl, buf_ptr(&t->out), (int)n) == (int)n);
			buf_consume(&t->out, n);
		}
		while ((r = BIO_read(SSL_get_wbio(t->ssl), tmp, sizeof(tmp))) > 0)
			buf_put(&t->wire, tmp, (size_t)r);
	} else if (buf_len(&t->out) > 0) {
		buf_put(&t->wire, buf_ptr(&t->out), buf_len(&t->out));
		buf_reset(&t->out);
	}
	while (buf_len(&t->wire) > 0) {
		if (t->plan.cut > 0 && t->written == t->plan.cut - 1) {
			hang_up(t);
			return;
		}
		n = buf_len(&t->wire);
		if (t->plan.cut > 0 && n > t->plan.cut - 1 - t->written)
			n = t->plan.cut - 1 - t->written;
		if (t->plan.chunk > 0 && n > t->plan.chunk)
			n = t->plan.chunk;
		w = send(t->fd, buf_ptr(&t->wire), n, MSG_NOSIGNAL);
		if (w > 0) {
			buf_consume(&t->wire, (size_t)w);
			t->written += (size_t)w;
		} else if (errno != EAGAIN) {
			t->eof = 1;
			return;
		}
		if (w <= 0 || t->plan.chunk > 0) {
			event_add(t->wr, NULL);
			return;
		}
	}
}

void
ts_send_wire(struct tserver *t, const void *p, size_t n)
{
	MUST(buf_put(&t->out, p, n) == 0);
}

void
ts_send_plain(struct tserver *t, const void *p, size_t n)
{
	MUST(noiserec_seal(&t->rec, p, n, &t->out) == 0);
}

static void
pump(struct tserver *t)
{
	const uint8_t *p;
	ssize_t n;

	while (t->ng != NULL && buf_len(&t->wire) + buf_len(&t->out) < 256 * 1024 &&
	    (n = nghttp2_session_mem_send(t->ng, &p)) > 0)
		ts_send_plain(t, p, (size_t)n);
	ts_flush(t);
}

static void
on_writable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pump(arg);
}

/* --- HTTP/2 --- */

static int
h2_begin(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct ts_request *r = calloc(1, sizeof(*r));
	struct tserver *t = arg;

	r->id = f->hd.stream_id;
	MUST(r->id < 128);
	t->open[r->id / 2] = r;
	buf_init(&r->body, 8 << 20);
	buf_init(&r->answer, 256 << 20);
	nghttp2_session_set_stream_user_data(ng, r->id, r);
	return 0;
}

static int
h2_header(nghttp2_session *ng, const nghttp2_frame *f, const uint8_t *name, size_t nl, const uint8_t *value, size_t vl,
    uint8_t flags, void *arg)
{
	struct ts_request *r = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	const char *n = (const char *)name, *v = (const char *)value;

	(void)flags;
	(void)arg;
	(void)nl;
	(void)vl;
	r->nfields++;
	if (strcmp(n, ":method") == 0)
		snprintf(r->method, sizeof(r->method), "%s", v);
	if (strcmp(n, ":path") == 0)
		snprintf(r->path, sizeof(r->path), "%s", v);
	if (strcmp(n, ":authority") == 0)
		snprintf(r->authority, sizeof(r->authority), "%s", v);
	if (strcmp(n, ":scheme") == 0)
		snprintf(r->scheme, sizeof(r->scheme), "%s", v);
	if (strcmp(n, "ts-lb") == 0 && r->nlb < 4)
		snprintf(r->lb[r->nlb++], sizeof(r->lb[0]), "%s", v);
	return 0;
}

static int
h2_data(nghttp2_session *ng, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	struct ts_request *r = nghttp2_session_get_stream_user_data(ng, id);

	(void)flags;
	(void)arg;
	return buf_put(&r->body, p, n);
}

static int
h2_frame(nghttp2_session *ng, const nghttp2_frame *f, void *arg)
{
	struct tserver *t = arg;
	struct ts_request *r;

	if (f->hd.type == NGHTTP2_GOAWAY)
		t->got_goaway = 1;
	if (f->hd.type == NGHTTP2_RST_STREAM)
		t->rsts++;
	if ((f->hd.type != NGHTTP2_HEADERS && f->hd.type != NGHTTP2_DATA) || !(f->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	r = nghttp2_session_get_stream_user_data(ng, f->hd.stream_id);
	t->requests++;
	if (t->plan.on_request != NULL)
		t->plan.on_request(t, r, t->plan.arg);
	return 0;
}

static void
drop_request(struct tserver *t, unsigned i)
{
	struct ts_request *r = t->open[i];

	t->open[i] = NULL;
	if (r == NULL)
		return;
	buf_free(&r->body);
	buf_free(&r->answer);
	free(r);
}

static int
h2_close(nghttp2_session *ng, int32_t id, uint32_t code, void *arg)
{
	struct tserver *t = arg;

	(void)ng;
	(void)code;
	drop_request(t, (unsigned)id / 2);
	return 0;
}

static void
h2_start(struct tserver *t)
{
	nghttp2_settings_entry iv = { NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS,
		t->plan.max_streams ? t->plan.max_streams : 100 };
	nghttp2_session_callbacks *cb;

	nghttp2_session_callbacks_new(&cb);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, h2_begin);
	nghttp2_session_callbacks_set_on_header_callback(cb, h2_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, h2_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, h2_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, h2_close);
	MUST(nghttp2_session_server_new(&t->ng, cb, t) == 0);
	nghttp2_session_callbacks_del(cb);
	nghttp2_submit_settings(t->ng, 0, &iv, 1);
}

static ssize_t
answer_read(nghttp2_session *ng, int32_t id, uint8_t *to, size_t len, uint32_t *flags, nghttp2_data_source *src,
    void *arg)
{
	struct ts_request *r = src->ptr;
	size_t n = buf_len(&r->answer) < len ? buf_len(&r->answer) : len;

	(void)ng;
	(void)id;
	(void)arg;
	if (n == 0 && r->more)
		return NGHTTP2_ERR_DEFERRED;
	if (n > 0)
		memcpy(to, buf_ptr(&r->answer), n);
	buf_consume(&r->answer, n);
	if (buf_len(&r->answer) == 0 && !r->more)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

void
ts_answer(struct tserver *t, int32_t id, int status, const char *extra_name, const char *extra_value, const void *body,
    size_t n, int more)
{
	union {
		const char *c;
		uint8_t *u;
	} u[4] = { { ":status" }, { NULL }, { extra_name }, { extra_value } };
	struct ts_request *r = t->open[id / 2];
	nghttp2_data_provider dp = { .source = { .ptr = r }, .read_callback = answer_read };
	char code[8];
	nghttp2_nv nv[2];

	snprintf(code, sizeof(code), "%d", status);
	u[1].c = code;
	nv[0] = (nghttp2_nv){ u[0].u, u[1].u, 7, 3, 0 };
	if (extra_name != NULL)
		nv[1] = (nghttp2_nv){ u[2].u, u[3].u, strlen(extra_name), strlen(extra_value), 0 };
	buf_put(&r->answer, body, n);
	r->more = more;
	nghttp2_submit_response(t->ng, id, nv, extra_name != NULL ? 2 : 1, &dp);
	pump(t);
}

void
ts_more(struct tserver *t, int32_t id, const void *p, size_t n, int more)
{
	struct ts_request *r = t->open[id / 2];

	buf_put(&r->answer, p, n);
	r->more = more;
	nghttp2_session_resume_data(t->ng, id);
	pump(t);
}

/* --- in --- */

static int
plaintext(void *arg, const uint8_t *p, size_t n)
{
	struct tserver *t = arg;

	t->plain_bytes += n;
	if (t->plan.wait_preface && t->ng == NULL)
		h2_start(t);
	if (t->ng == NULL)
		return buf_put(&t->seen, p, n);
	return nghttp2_session_mem_recv(t->ng, p, n) == (ssize_t)n ? 0 : -1;
}

static void
noise_bytes(struct tserver *t)
{
	const uint8_t *p = buf_ptr(&t->in);
	size_t size;

	/* Count records before they are opened. */
	while (buf_len(&t->in) >= 3 && (size = 3 + ((size_t)p[1] << 8 | p[2])) <= buf_len(&t->in)) {
		t->records++;
		if (size > t->max_record)
			t->max_record = size;
		if (noiserec_feed(&t->rec, p, size, plaintext, t) == -1)
			return;
		buf_consume(&t->in, size);
		p = buf_ptr(&t->in);
	}
	pump(t);
}

static void
start_noise(struct tserver *t)
{
	uint8_t s[32], pub[32], resp[51], tx[32], rx[32], early[9] = { 0xff, 0xff, 0xff, 'T', 'S' };

	tn_keypair(t->plan.other_key ? 0x55 : TS_SERVER_SEED, s, pub);
	if (tn_respond(s, NULL, TS_VERSION, t->init, resp, tx, rx) == -1) {
		ts_flush(t);
		ts_close(t);
		return;
	}
	if (t->plan.flip > 0)
		resp[t->plan.flip - 1] ^= 1;
	if (t->plan.raw_response != NULL) {
		ts_send_wire(t, t->plan.raw_response, t->plan.raw_response_len);
		t->state = S_STUCK;
		ts_flush(t);
		return;
	}
	ts_send_wire(t, resp, sizeof(resp));
	noiserec_init(&t->rec, tx, rx);
	t->state = S_NOISE;
	if (t->plan.early != NULL) {
		early[7] = (uint8_t)(strlen(t->plan.early) >> 8);
		early[8] = (uint8_t)strlen(t->plan.early);
		ts_send_plain(t, early, 9);
		ts_send_plain(t, t->plan.early, strlen(t->plan.early));
	}
	if (!t->plan.raw && !t->plan.wait_preface)
		h2_start(t);
	pump(t);
}

static void
read_head(struct tserver *t, size_t n)
{
	char *head = (char *)buf_ptr(&t->in), *v;

	head[n - 1] = '\0';
	if ((v = strcasestr(head, "X-Tailscale-Handshake: ")) != NULL) {
		v += 23;
		MUST(b64_decode(v, strcspn(v, "\r"), t->init, sizeof(t->init)) == 101);
	}
	buf_consume(&t->in, n);
	if (t->plan.silent)
		return;
	if (t->state == S_PROXY) {
		ts_send_wire(t, "HTTP/1.1 200 tunnel\r\nX: y\r\n\r\n", 29);
		t->state = S_HEAD;
		if (t->plan.tls != NULL) {
			ts_flush(t);
			t->ssl = SSL_new(t->plan.tls);
			SSL_set_bio(t->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
			SSL_set_accept_state(t->ssl);
		}
		ts_flush(t);
		return;
	}
	if (t->plan.http != NULL) {
		ts_send_wire(t, t->plan.http, strlen(t->plan.http));
		ts_flush(t);
		if (!t->plan.http_keep)
			ts_close(t);
		return;
	}
	ts_send_wire(t, t->plan.head != NULL ? t->plan.head : TS_OK_HEAD,
	    strlen(t->plan.head != NULL ? t->plan.head : TS_OK_HEAD));
	if (t->plan.hang_after_head || t->plan.close_after_head || t->plan.head != NULL) {
		t->state = t->plan.hang_after_head || t->plan.close_after_head ? S_STUCK : t->state;
		ts_flush(t);
		if (t->plan.close_after_head)
			ts_close(t);
		if (t->state == S_STUCK || strstr(t->plan.head, " 101") == NULL)
			return;
	}
	start_noise(t);
}

static void
cleartext(struct tserver *t)
{
	uint8_t *end;

	while (buf_len(&t->in) > 0 && t->fd != -1) {
		if (t->state == S_NOISE) {
			noise_bytes(t);
			return;
		}
		end = memmem(buf_ptr(&t->in), buf_len(&t->in), "\r\n\r\n", 4);
		if (end == NULL || t->state == S_STUCK)
			return;
		buf_put(&t->seen, buf_ptr(&t->in), (size_t)(end + 4 - buf_ptr(&t->in)));
		read_head(t, (size_t)(end + 4 - buf_ptr(&t->in)));
	}
}

static void
tls_bytes(struct tserver *t, const char *p, size_t n)
{
	char tmp[16384];
	int r;

	BIO_write(SSL_get_rbio(t->ssl), p, (int)n);
	if (!SSL_is_init_finished(t->ssl)) {
		SSL_do_handshake(t->ssl);
		if (SSL_is_init_finished(t->ssl) && SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name) != NULL)
			snprintf(t->sni, sizeof(t->sni), "%s", SSL_get_servername(t->ssl, TLSEXT_NAMETYPE_host_name));
	}
	while (SSL_is_init_finished(t->ssl) && (r = SSL_read(t->ssl, tmp, sizeof(tmp))) > 0)
		buf_put(&t->in, tmp, (size_t)r);
	ts_flush(t);
}

static void
on_readable(int fd, short what, void *arg)
{
	struct tserver *t = arg;
	char tmp[32768];
	ssize_t n;

	(void)what;
	n = t->stop_reading ? -1 : read(fd, tmp, sizeof(tmp));
	if (t->stop_reading || (n == -1 && errno == EAGAIN))
		return;
	if (n <= 0) {
		t->eof = 1;
		event_del(t->rd);
		return;
	}
	if (t->ssl != NULL)
		tls_bytes(t, tmp, (size_t)n);
	else
		buf_put(&t->in, tmp, (size_t)n);
	cleartext(t);
}

/* --- start and end --- */

struct tserver *
ts_new(struct event_base *base, int fd, const struct ts_plan *plan)
{
	struct tserver *t = calloc(1, sizeof(*t));

	t->base = base;
	t->fd = fd;
	t->plan = *plan;
	t->state = plan->proxy ? S_PROXY : S_HEAD;
	fcntl(fd, F_SETFL, O_NONBLOCK);
	buf_init(&t->in, 256 << 20);
	buf_init(&t->out, 256 << 20);
	buf_init(&t->wire, 256 << 20);
	buf_init(&t->seen, 256 << 20);
	if (plan->tls != NULL && !plan->proxy) {
		t->ssl = SSL_new(plan->tls);
		SSL_set_bio(t->ssl, BIO_new(BIO_s_mem()), BIO_new(BIO_s_mem()));
		SSL_set_accept_state(t->ssl);
	}
	t->rd = event_new(base, fd, EV_READ | EV_PERSIST, on_readable, t);
	t->wr = event_new(base, fd, EV_WRITE, on_writable, t);
	event_add(t->rd, NULL);
	return t;
}

void
ts_close(struct tserver *t)
{
	if (t->fd == -1)
		return;
	if (t->ssl != NULL) {
		SSL_shutdown(t->ssl);
		ts_flush(t);
	}
	if (t->fd != -1)
		hang_up(t);
}

void
ts_free(struct tserver *t)
{
	if (t == NULL)
		return;
	ts_close(t);
	event_free(t->rd);
	event_free(t->wr);
	for (unsigned i = 0; i < 64; i++)
		drop_request(t, i);
	nghttp2_session_del(t->ng);
	SSL_free(t->ssl);
	buf_free(&t->in);
	buf_free(&t->out);
	buf_free(&t->wire);
	buf_free(&t->seen);
	free(t);
}
