/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <event2/event.h>
#include <nghttp2/nghttp2.h>

#include "buf.h"
#include "noiserec.h"
#include "unit.h"
#include "util_fakeserver.h"

void
fs_flush(struct fakeserver *fs)
{
	ssize_t n;

	while (buf_len(&fs->wire) > 0 && (n = write(fs->fd, buf_ptr(&fs->wire), buf_len(&fs->wire))) > 0)
		buf_consume(&fs->wire, (size_t)n);
	if (buf_len(&fs->wire) > 0)
		event_add(fs->wr, NULL);
}

void
fs_pump(struct fakeserver *fs)
{
	const uint8_t *p;
	ssize_t n;

	while (fs->h2 != NULL && (n = nghttp2_session_mem_send(fs->h2, &p)) > 0)
		assert_int_equal(noiserec_seal(&fs->rec, p, (size_t)n, &fs->wire), 0);
	fs_flush(fs);
}

static struct fs_stream *
fs_find(struct fakeserver *fs, int32_t id)
{
	unsigned i;

	for (i = 0; i < fs->nstreams; i++)
		if (fs->streams[i].id == id)
			return &fs->streams[i];
	return NULL;
}

static int
fs_begin_headers(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct fakeserver *fs = arg;
	struct fs_stream *st;

	(void)h2;
	if (fs_find(fs, f->hd.stream_id) != NULL)
		return 0;
	assert_true(fs->nstreams < FS_STREAMS);
	st = &fs->streams[fs->nstreams++];
	st->id = f->hd.stream_id;
	buf_init(&st->body, 1 << 20);
	buf_init(&st->out, 64 << 20);
	return 0;
}

static int
fs_header(nghttp2_session *h2, const nghttp2_frame *f, const uint8_t *name, size_t nlen, const uint8_t *v, size_t vlen,
    uint8_t flags, void *arg)
{
	struct fs_stream *st = fs_find(arg, f->hd.stream_id);

	(void)h2;
	(void)flags;
	if (nlen == 7 && memcmp(name, ":method", 7) == 0)
		snprintf(st->method, sizeof(st->method), "%.*s", (int)vlen, (const char *)v);
	else if (nlen == 5 && memcmp(name, ":path", 5) == 0)
		snprintf(st->path, sizeof(st->path), "%.*s", (int)vlen, (const char *)v);
	else if (nlen == 10 && memcmp(name, ":authority", 10) == 0)
		snprintf(st->authority, sizeof(st->authority), "%.*s", (int)vlen, (const char *)v);
	else if (nlen == 5 && memcmp(name, "ts-lb", 5) == 0 && st->nlb < 2)
		snprintf(st->lb[st->nlb++], sizeof(st->lb[0]), "%.*s", (int)vlen, (const char *)v);
	return 0;
}

static int
fs_data(nghttp2_session *h2, uint8_t flags, int32_t id, const uint8_t *p, size_t n, void *arg)
{
	(void)h2;
	(void)flags;
	return buf_put(&fs_find(arg, id)->body, p, n) == 0 ? 0 : NGHTTP2_ERR_CALLBACK_FAILURE;
}

static int
fs_frame(nghttp2_session *h2, const nghttp2_frame *f, void *arg)
{
	struct fs_stream *st = fs_find(arg, f->hd.stream_id);

	(void)h2;
	if (st != NULL && (f->hd.type == NGHTTP2_DATA || f->hd.type == NGHTTP2_HEADERS) &&
	    (f->hd.flags & NGHTTP2_FLAG_END_STREAM) != 0) {
		buf_putc(&st->body, '\0'); /* for strstr() */
		st->ended = 1;
	}
	return 0;
}

static int
fs_close(nghttp2_session *h2, int32_t id, uint32_t code, void *arg)
{
	struct fs_stream *st = fs_find(arg, id);

	(void)h2;
	if (st != NULL) {
		st->closed = 1;
		st->code = code;
	}
	return 0;
}

static void
fs_start_h2(struct fakeserver *fs)
{
	nghttp2_session_callbacks *cb;

	assert_int_equal(nghttp2_session_callbacks_new(&cb), 0);
	nghttp2_session_callbacks_set_on_begin_headers_callback(cb, fs_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback(cb, fs_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(cb, fs_data);
	nghttp2_session_callbacks_set_on_frame_recv_callback(cb, fs_frame);
	nghttp2_session_callbacks_set_on_stream_close_callback(cb, fs_close);
	assert_int_equal(nghttp2_session_server_new(&fs->h2, cb, fs), 0);
	nghttp2_session_callbacks_del(cb);
	assert_int_equal(nghttp2_submit_settings(fs->h2, NGHTTP2_FLAG_NONE, NULL, 0), 0);
}

static int
fs_plaintext(void *arg, const uint8_t *p, size_t n)
{
	struct fakeserver *fs = arg;

	return nghttp2_session_mem_recv(fs->h2, p, n) == (ssize_t)n ? 0 : -1;
}

static void
fs_upgrade(struct fakeserver *fs)
{
	static const char head[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: tailscale-control-protocol\r\n"
				   "Connection: upgrade\r\n\r\n\x02\x00\x30";
	uint8_t body[48];

	buf_putc(&fs->in, '\0');
	memset(body, 0x5a, sizeof(body));
	buf_put(&fs->wire, head, sizeof(head) - 1);
	buf_put(&fs->wire, body, sizeof(body));
	fs->upgraded = 1;
	fs_start_h2(fs);
	fs_flush(fs);
}

static void
fs_readable(int fd, short what, void *arg)
{
	struct fakeserver *fs = arg;
	uint8_t p[65536];
	ssize_t n;

	(void)what;
	n = read(fd, p, sizeof(p));
	if (n <= 0) {
		fs->gone = 1;
		event_del(fs->rd);
	} else if (fs->upgraded) {
		assert_int_equal(noiserec_feed(&fs->rec, p, (size_t)n, fs_plaintext, fs), 0);
		fs_pump(fs);
	} else {
		buf_put(&fs->in, p, (size_t)n);
		if (!fs->plain && buf_len(&fs->in) > 4 &&
		    memcmp(buf_ptr(&fs->in) + buf_len(&fs->in) - 4, "\r\n\r\n", 4) == 0)
			fs_upgrade(fs);
	}
}

static void
fs_writable(int fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	fs_pump(arg);
}

struct fakeserver *
fs_new(struct event_base *base, int fd, const uint8_t tx[32], const uint8_t rx[32], int plain)
{
	struct fakeserver *fs = calloc(1, sizeof(*fs));

	assert_non_null(fs);
	fs->fd = fd;
	fs->plain = plain;
	buf_init(&fs->in, 65536);
	buf_init(&fs->wire, 128 << 20);
	noiserec_init(&fs->rec, tx, rx);
	fs->rd = event_new(base, fd, EV_READ | EV_PERSIST, fs_readable, fs);
	fs->wr = event_new(base, fd, EV_WRITE, fs_writable, fs);
	event_add(fs->rd, NULL);
	return fs;
}

void
fs_drop(struct fakeserver *fs)
{
	if (fs->fd == -1)
		return;
	event_free(fs->rd);
	event_free(fs->wr);
	close(fs->fd);
	fs->fd = -1;
}

void
fs_free(struct fakeserver *fs)
{
	unsigned i;

	fs_drop(fs);
	nghttp2_session_del(fs->h2);
	for (i = 0; i < fs->nstreams; i++) {
		buf_free(&fs->streams[i].body);
		buf_free(&fs->streams[i].out);
	}
	buf_free(&fs->in);
	buf_free(&fs->wire);
	free(fs);
}

static ssize_t
fs_read_answer(nghttp2_session *h2, int32_t id, uint8_t *p, size_t n, uint32_t *flags, nghttp2_data_source *src,
    void *arg)
{
	struct fs_stream *st = src->ptr;

	(void)h2;
	(void)id;
	(void)arg;
	if (buf_len(&st->out) < n)
		n = buf_len(&st->out);
	if (n == 0 && !st->eof)
		return NGHTTP2_ERR_DEFERRED;
	if (n > 0)
		memcpy(p, buf_ptr(&st->out), n);
	buf_consume(&st->out, n);
	if (buf_len(&st->out) == 0 && st->eof)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)n;
}

static nghttp2_nv
fs_nv(const char *name, const char *value)
{
	return (nghttp2_nv){ .name = (uint8_t *)(uintptr_t)name,
		.value = (uint8_t *)(uintptr_t)value,
		.namelen = strlen(name),
		.valuelen = strlen(value) };
}

void
fs_answer(struct fakeserver *fs, struct fs_stream *st, const char *status, const char *retry_after, const void *p,
    size_t n, int eof)
{
	nghttp2_data_provider dp = { .source.ptr = st, .read_callback = fs_read_answer };
	nghttp2_nv nv[2] = { fs_nv(":status", status), fs_nv("retry-after", retry_after != NULL ? retry_after : "") };

	buf_put(&st->out, p, n);
	st->eof = eof;
	assert_int_equal(nghttp2_submit_response(fs->h2, st->id, nv, retry_after != NULL ? 2 : 1, &dp), 0);
	fs_pump(fs);
}

void
fs_more(struct fakeserver *fs, struct fs_stream *st, const void *p, size_t n, int eof)
{
	assert_int_equal(buf_put(&st->out, p, n), 0);
	st->eof = eof;
	nghttp2_session_resume_data(fs->h2, st->id);
	fs_pump(fs);
}

const char *
fs_body(struct fs_stream *st)
{
	return (const char *)buf_ptr(&st->body);
}
