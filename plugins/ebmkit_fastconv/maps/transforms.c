/* Winograd's transforms for images (B, H, W, C) of float32, with what stands next to a convolution fused in, and
   the sum that ends a transposed convolution.

   The matrices DATA5, RESULT5 (2x2 kernels), DATA6, RESULT6 (3x3) and DATA8, RESULT8 (5x5), and SPREAD5, SPREAD6,
   SPREAD8, the transposes of the results', are put in front of this text when it is compiled. Channels are worked on sixteen at a time; the last block of a pixel overlaps the one before
   it where the channels are no multiple of sixteen, and writes the same numbers again. Points of a tile
   lie together: element (tile, point, channel) is at (tile * points + point) * channels + channel. */

#include <stdint.h>
#include <string.h>

#define OUT 4
#define LANES 16
#define INLINE static inline __attribute__((always_inline))

typedef float vec __attribute__((vector_size(4 * LANES)));
typedef int32_t mask __attribute__((vector_size(4 * LANES)));

enum { PLAIN = 0, ACTIVATED = 1, WEIGHED = 2, MASKED = 3 };

INLINE vec load(const float *at) {
  vec v;
  memcpy(&v, at, sizeof v);
  return v;
}

INLINE void store(float *at, vec v) { memcpy(at, &v, sizeof v); }

/* v where `where` is positive, slope * v elsewhere. */
INLINE vec leaky(vec v, vec where, float slope) {
  mask positive = where > 0.0f;
  vec scaled = v * slope;
  return (vec)(((mask)v & positive) | ((mask)scaled & ~positive));
}

#define MULTIPLY(NAME, MATRIX, ROWS, COLUMNS)                                        \
  INLINE void NAME(const vec *in, int in_step, vec *out, int out_step) {             \
    _Pragma("GCC unroll 8") for (int i = 0; i < ROWS; i++) {                         \
      vec sum = {0};                                                                 \
      _Pragma("GCC unroll 8") for (int j = 0; j < COLUMNS; j++)                      \
        if (MATRIX[i][j] != 0.0f) sum += MATRIX[i][j] * in[j * in_step];             \
      out[i * out_step] = sum;                                                       \
    }                                                                                \
  }

MULTIPLY(data5, DATA5, 5, 5)
MULTIPLY(data6, DATA6, 6, 6)
MULTIPLY(data8, DATA8, 8, 8)
MULTIPLY(result5, RESULT5, OUT, 5)
MULTIPLY(result6, RESULT6, OUT, 6)
MULTIPLY(result8, RESULT8, OUT, 8)
MULTIPLY(spread5, SPREAD5, 5, OUT)
MULTIPLY(spread6, SPREAD6, 6, OUT)
MULTIPLY(spread8, SPREAD8, 8, OUT)

#define OF_SIZE(NAME)                                                                              \
  INLINE void NAME(const int t, const vec *in, int in_step, vec *out, int out_step) {              \
    if (t == 5) NAME##5(in, in_step, out, out_step);                                               \
    if (t == 6) NAME##6(in, in_step, out, out_step);                                               \
    if (t == 8) NAME##8(in, in_step, out, out_step);                                               \
  }

OF_SIZE(data)
OF_SIZE(result)
OF_SIZE(spread)

/* To t points: of the t pixels that a tile of results depends on, or of the OUT results themselves. */
INLINE void to_points(const int t, const int pixels, const vec *in, int in_step, vec *out, int out_step) {
  if (pixels == t) data(t, in, in_step, out, out_step); else spread(t, in, in_step, out, out_step);
}

typedef struct {
  int64_t rows, height, width, channels; /* of the image, phases included */
  int64_t down, across;                  /* tiles */
  int64_t phases, padding;
} layout;

INLINE int64_t block_start(int64_t c, int64_t channels) { return c + LANES <= channels ? c : channels - LANES; }

INLINE void read_tiles(const int t, const int pixels, const float *image, const layout *at, float *points) {
  const int64_t C = at->channels, P = at->phases, row = at->width * C, all = P * P * C;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < at->rows; b++)
    for (int64_t down = 0; down < at->down; down++)
      for (int64_t across = 0; across < at->across; across++) {
        const float *one = image + b * at->height * row;
        float *tile = points + ((b * at->down + down) * at->across + across) * t * t * all;
        for (int64_t phase = 0; phase < P * P; phase++)
          for (int64_t c = 0; c < C; c += LANES) {
            const int64_t begin = block_start(c, C);
            vec in[64], half[64], line[8];
            for (int i = 0; i < pixels; i++)
              for (int j = 0; j < pixels; j++) {
                const int64_t y = (OUT * down + i) * P + phase / P - at->padding;
                const int64_t x = (OUT * across + j) * P + phase % P - at->padding;
                const int inside = y >= 0 && y < at->height && x >= 0 && x < at->width;
                in[i * pixels + j] = inside ? load(one + y * row + x * C + begin) : (vec){0};
              }
            for (int j = 0; j < pixels; j++) to_points(t, pixels, in + j, pixels, half + j, pixels);
            for (int i = 0; i < t; i++) {
              to_points(t, pixels, half + i * pixels, 1, line, 1);
              for (int j = 0; j < t; j++) store(tile + (i * t + j) * all + phase * C + begin, line[j]);
            }
          }
      }
}

INLINE void write_tiles(const int t, const float *points, const layout *at, const int mode, const float slope,
                        const float *bias, const float *other, double *values, float *image) {
  const int64_t C = at->channels, P = at->phases, row = at->width * C, all = P * P * C;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < at->rows; b++)
    for (int64_t down = 0; down < at->down; down++) {
      float *one = image + b * at->height * row;
      const float *beside = mode == MASKED ? other + b * at->height * row : other;
      double value = 0.0;
      for (int64_t across = 0; across < at->across; across++) {
        const float *tile = points + ((b * at->down + down) * at->across + across) * t * t * all;
        for (int64_t phase = 0; phase < P * P; phase++)
          for (int64_t c = 0; c < C; c += LANES) {
            const int64_t begin = block_start(c, C);
            vec in[64], half[32], out[16], sum = {0};
            for (int k = 0; k < t * t; k++) in[k] = load(tile + k * all + phase * C + begin);
            for (int j = 0; j < t; j++) result(t, in + j, t, half + j, t);
            for (int i = 0; i < OUT; i++) result(t, half + i * t, 1, out + i * OUT, 1);
            const vec add = mode == ACTIVATED || mode == WEIGHED ? load(bias + begin) : (vec){0};
            for (int i = 0; i < OUT; i++)
              for (int j = 0; j < OUT; j++) {
                const int64_t y = (OUT * down + i) * P + phase / P, x = (OUT * across + j) * P + phase % P;
                if (y >= at->height || x >= at->width) continue;
                const int64_t pixel = y * row + x * C + begin;
                vec v = out[i * OUT + j];
                if (mode == ACTIVATED) {
                  v += add;
                  v = leaky(v, v, slope);
                } else if (mode == WEIGHED) {
                  const vec a = v + add;
                  v = leaky(load(beside + pixel), a, slope);
                  sum += a * v;
                } else if (mode == MASKED) {
                  v = leaky(v, load(beside + pixel), slope);
                }
                store(one + pixel, v);
              }
            if (mode == WEIGHED) /* lanes of an overlapping block were summed before */
              for (int64_t lane = c - begin; lane < LANES; lane++) value += sum[lane];
          }
      }
      if (mode == WEIGHED) values[b * at->down + down] = value;
    }
}

void ebmkit_read_tiles(int t, const float *image, const layout *at, float *points) {
  switch (t) {
    case 5: read_tiles(5, 5, image, at, points); break;
    case 6: read_tiles(6, 6, image, at, points); break;
    case 8: read_tiles(8, 8, image, at, points); break;
  }
}

void ebmkit_spread_tiles(int t, const float *image, const layout *at, float *points) {
  switch (t) {
    case 5: read_tiles(5, OUT, image, at, points); break;
    case 6: read_tiles(6, OUT, image, at, points); break;
    case 8: read_tiles(8, OUT, image, at, points); break;
  }
}

#define WRITE(MODE)                                                                                \
  switch (t) {                                                                                     \
    case 5: write_tiles(5, points, at, MODE, slope, bias, other, values, image); break;            \
    case 6: write_tiles(6, points, at, MODE, slope, bias, other, values, image); break;            \
    case 8: write_tiles(8, points, at, MODE, slope, bias, other, values, image); break;            \
  }                                                                                                \
  break;

void ebmkit_write_tiles(int t, const float *points, const layout *at, int mode, float slope, const float *bias,
                        const float *other, double *values, float *image) {
  switch (mode) {
    case PLAIN: WRITE(PLAIN)
    case ACTIVATED: WRITE(ACTIVATED)
    case WEIGHED: WRITE(WEIGHED)
    case MASKED: WRITE(MASKED)
  }
}

typedef struct {
  int64_t rows, height, width, channels; /* of the image */
  int64_t down, across;                  /* of the features */
  int64_t kernel, stride, padding;
} fold;

/* What each feature (B, down, across) sends to kernel x kernel pixels, summed into the image (B, C, H, W). */
void ebmkit_fold(const float *sent, const fold *at, float *image) {
  const int64_t C = at->channels, reach = at->kernel * C, step = at->stride * C;
  const int64_t long_line = step * (at->across - 1) + reach, needed = (at->width + at->padding) * C;
  const int64_t length = long_line > needed ? long_line : needed;
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t b = 0; b < at->rows; b++)
    for (int64_t y = 0; y < at->height; y++) {
      float line[length]; /* a row of pixels, from the padding on */
      memset(line, 0, sizeof line);
      for (int64_t i = (y + at->padding) % at->stride; i < at->kernel; i += at->stride) {
        const int64_t m = (y + at->padding - i) / at->stride;
        if (y + at->padding < i || m >= at->down) continue;
        const float *from = sent + ((b * at->down + m) * at->across * at->kernel + i) * reach;
        for (int64_t n = 0; n < at->across; n++, from += at->kernel * reach)
          for (int64_t k = 0; k < reach; k++) line[n * step + k] += from[k];
      }
      for (int64_t c = 0; c < C; c++) {
        float *row = image + ((b * C + c) * at->height + y) * at->width;
        for (int64_t x = 0; x < at->width; x++) row[x] = line[(x + at->padding) * C + c];
      }
    }
}
