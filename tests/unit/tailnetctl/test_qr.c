/* SPDX-License-Identifier: ISC
 * Copyright (c) 2026 The tailnetd authors */
#include <qrencode.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "qr.h"
#include "unit.h"

/* What is printed is read back, module by module, and compared with the code itself. */

#define SIDE_MAX 190 /* modules: the largest code has 177 */
#define QUIET    2   /* required light modules around it */

struct seen {
	int width, height;
	char dark[SIDE_MAX][SIDE_MAX];
};

static char *
print(const char *text, int want)
{
	char *out = NULL;
	size_t n = 0;
	FILE *f = open_memstream(&out, &n);

	assert_non_null(f);
	assert_int_equal(qr_print(f, text), want);
	assert_int_equal(fclose(f), 0);
	return out;
}

/* One character is two modules, one above the other; what is drawn is light. */
static const char *
cell(const char *p, char *upper, char *lower)
{
	static const struct {
		const char *text;
		char upper, lower;
	} cells[] = { { "\u2588", 0, 0 }, { "\u2580", 0, 1 }, { "\u2584", 1, 0 }, { " ", 1, 1 } };

	for (size_t i = 0; i < sizeof(cells) / sizeof(cells[0]); i++) {
		size_t n = strlen(cells[i].text);

		if (strncmp(p, cells[i].text, n) == 0) {
			*upper = cells[i].upper;
			*lower = cells[i].lower;
			return p + n;
		}
	}
	fail_msg("neither a half block nor a space: %.8s", p);
	return NULL;
}

static void
read_back(struct seen *s, const char *p)
{
	int x;

	memset(s, 0, sizeof(*s));
	for (; *p != '\0'; p++, s->height += 2) {
		assert_true(s->height + 2 <= SIDE_MAX);
		for (x = 0; *p != '\n' && *p != '\0'; x++) {
			assert_true(x < SIDE_MAX);
			p = cell(p, &s->dark[s->height][x], &s->dark[s->height + 1][x]);
		}
		assert_int_equal(*p, '\n');
		if (s->height == 0)
			s->width = x;
		assert_int_equal(x, s->width);
	}
}

static int
module_of(const QRcode *q, int x, int y)
{
	return x >= 0 && y >= 0 && x < q->width && y < q->width ? q->data[y * q->width + x] & 1 : 0;
}

static void
check(const char *text)
{
	QRcode *q = QRcode_encodeString8bit(text, 0, QR_ECLEVEL_L);
	char *out = print(text, 0);
	struct seen s;
	int x, y;

	assert_non_null(q);
	read_back(&s, out);
	/* An even number of rows: the last line has a light one more below. */
	assert_int_equal(s.width, q->width + 2 * QUIET);
	assert_int_equal(s.height, q->width + 2 * QUIET + 1);
	for (y = 0; y < s.height; y++)
		for (x = 0; x < s.width; x++)
			if (s.dark[y][x] != module_of(q, x - QUIET, y - QUIET))
				fail_msg("%zu characters: module %d,%d of %d", strlen(text), x - QUIET, y - QUIET,
				    q->width);
	QRcode_free(q);
	free(out);
}

static void
test_module_by_module(void **state)
{
	static const size_t sizes[] = { 1, 17, 18, 100, 500, 1024, 2953 };
	char text[3000];

	(void)state;
	check("https://login.example.test/a/0123456789abcdef");
	check("https://control.example.com:8443/register/nodekey-%2f?x=y&z=\xc3\xbc");
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		for (size_t k = 0; k < sizes[i]; k++)
			text[k] = (char)('a' + (k * 7 + i) % 26);
		text[sizes[i]] = '\0';
		check(text);
	}
}

/* Not only what libqrencode says: the marks in three corners, and the lines between them that alternate. */
static void
test_marks(void **state)
{
	static const char *const mark[] = { "#######", "#     #", "# ### #", "# ### #", "# ### #", "#     #",
		"#######" };
	char *out = print("https://login.example.test/a/0123456789abcdef", 0);
	struct seen s;
	int x, y, far;

	(void)state;
	read_back(&s, out);
	far = s.width - QUIET - 7;
	for (y = 0; y < 7; y++)
		for (x = 0; x < 7; x++) {
			assert_int_equal(s.dark[QUIET + y][QUIET + x], mark[y][x] == '#');
			assert_int_equal(s.dark[QUIET + y][far + x], mark[y][x] == '#');
			assert_int_equal(s.dark[far + y][QUIET + x], mark[y][x] == '#');
		}
	for (x = QUIET + 8; x < far - 1; x++) {
		assert_int_equal(s.dark[QUIET + 6][x], (x - QUIET) % 2 == 0);
		assert_int_equal(s.dark[x][QUIET + 6], (x - QUIET) % 2 == 0);
	}
	free(out);
}

/* What does not fit is not printed in part. */
static void
test_too_long(void **state)
{
	char text[2955], *out;

	(void)state;
	memset(text, 'a', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	out = print(text, -1);
	assert_string_equal(out, "");
	free(out);
	out = print("", -1);
	assert_string_equal(out, "");
	free(out);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_module_by_module),
		cmocka_unit_test(test_marks),
		cmocka_unit_test(test_too_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
