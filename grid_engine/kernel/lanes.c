/* Batches with a constant Jacobian, eight cases side by side: `lanes.py` in C, and to be changed together with it.
 *
 * Rows of work arrays are two vectors, real parts and imaginary parts of eight cases. Structures mirror the tuples of
 * `network.py`, each array as a pointer, followed by the counts that C cannot ask an array for.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
#define LEAST 1e-3

typedef double lanes __attribute__((vector_size(64)));
typedef int64_t choice8 __attribute__((vector_size(64)));

enum kind { CONSTANT_POWER, PARTS, GENERAL };
enum law { EXPONENT = 6, LOWEST = 8, HIGHEST, LOW, ABOVE, START = 13, RISE = 15, LAW = 17 };

struct triangles {
    const int32_t *lower_start, *lower;
    const double *lower_block;
    const int32_t *upper_start, *upper;
    const double *upper_block, *inverse;
};

struct chord {
    struct triangles factors;
    const double *source, *base, *scale;
    const int32_t *first, *second;
    const double *weight, *law;
    const int32_t *kind;
    const double *slope;
    const int32_t *choice_start, *choice_row, *choice_table;
    const double *choice_change;
    const int32_t *node_start, *node_column;
    const double *node_value;
};

struct counts {
    int64_t row, pair, choice, node, columns;
};

struct output {
    double *voltage, *magnitude;
    int32_t *iterations;
    uint8_t *converged;
};

static inline lanes every(double value) { return (lanes){0} + value; }

static inline lanes where(choice8 which, lanes one, lanes other) {
    return (lanes)((which & (choice8)one) | (~which & (choice8)other));
}

static double inside(const double *law, int reactive, double voltage) {
    double exponent = law[EXPONENT + reactive];
    const double *parts = law + 3 * reactive;
    if (!isnan(exponent)) return pow(voltage, exponent - 2.0);
    return parts[0] + parts[1] / voltage + parts[2] / (voltage * voltage);
}

static double factor(const double *law, int reactive, double voltage) {
    if (voltage > law[HIGHEST]) return law[ABOVE + reactive];
    if (voltage >= law[LOWEST]) return inside(law, reactive, voltage);
    if (voltage < law[LOW]) return 1.0;
    return law[START + reactive] / voltage + law[RISE + reactive];
}

/* Factors of active and of reactive power at squares of voltages over nominal. */
static inline void drive(const double *law, int kind, lanes square, lanes *active, lanes *reactive) {
    double lowest = law[LOWEST] * law[LOWEST], highest = law[HIGHEST] * law[HIGHEST];
    int slow = kind == GENERAL;
    if (law[LOW] > 0.0)
        for (int w = 0; w < LANES; w++) slow |= square[w] < lowest;
    if (slow) {
        for (int w = 0; w < LANES; w++) {
            double size = sqrt(square[w]);
            (*active)[w] = factor(law, 0, size);
            (*reactive)[w] = factor(law, 1, size);
        }
        return;
    }
    *active = *reactive = 1.0 / square;
    if (kind == PARTS) {
        lanes inverse = {0};
        for (int w = 0; w < LANES; w++) inverse[w] = sqrt((*active)[w]);
        *reactive = law[3] + inverse * law[4] + *active * law[5];
        *active = law[0] + inverse * law[1] + *active * law[2];
    }
    choice8 above = square > every(highest), below = square < every(lowest);
    *active = where(above, every(law[ABOVE]), where(below, every(law[RISE]), *active));
    *reactive = where(above, every(law[ABOVE + 1]), where(below, every(law[RISE + 1]), *reactive));
}

static void inject(const struct chord *c, const struct counts *n, const lanes *s, const lanes *v, lanes *x) {
    for (int64_t i = 0; i < 2 * n->row; i++) x[i] = every(c->source[i]);
    for (int64_t k = 0; k < n->pair; k++) {
        int64_t a = 2 * (int64_t)c->first[k], b = 2 * (int64_t)c->second[k];
        double one = c->weight[2 * k], two = c->weight[2 * k + 1];
        const double *d = c->slope + 4 * k;
        lanes r = one * v[a] - two * v[b], i = one * v[a + 1] - two * v[b + 1], p, q;
        drive(c->law + LAW * k, c->kind[k], r * r + i * i, &p, &q);
        p *= s[2 * k];
        q *= s[2 * k + 1];
        lanes real = p * r + q * i - (d[0] * r + d[1] * i), imaginary = p * i - q * r - (d[2] * r + d[3] * i);
        x[a] += one * real;
        x[a + 1] += one * imaginary;
        x[b] -= two * real;
        x[b + 1] -= two * imaginary;
    }
}

static void vary(const struct chord *c, const struct counts *n, const int32_t *choice, int width, const lanes *v,
                 lanes *x) {
    for (int64_t i = 0; i < n->choice; i++) {
        const int32_t *row = c->choice_row + c->choice_start[i];
        int64_t m = c->choice_start[i + 1] - c->choice_start[i];
        for (int w = 0; w < width; w++) {
            const double *change = c->choice_change + 2 * (c->choice_table[i] + choice[i * n->columns + w] * m * m);
            for (int64_t a = 0; a < m; a++)
                for (int64_t b = 0; b < m; b++, change += 2) {
                    double g = change[0], h = change[1], real = v[2 * row[b]][w], imaginary = v[2 * row[b] + 1][w];
                    x[2 * row[a]][w] -= g * real - h * imaginary;
                    x[2 * row[a] + 1][w] -= h * real + g * imaginary;
                }
        }
    }
}

static inline void subtract(const double *block, const lanes *a, lanes *real, lanes *imaginary) {
    *real -= block[0] * a[0] + block[1] * a[1];
    *imaginary -= block[2] * a[0] + block[3] * a[1];
}

static inline void forward(const struct triangles *f, int64_t n, lanes *x) {
    for (int64_t i = 0; i < n; i++) {
        lanes real = x[2 * i], imaginary = x[2 * i + 1];
        for (int32_t p = f->lower_start[i]; p < f->lower_start[i + 1]; p++)
            subtract(f->lower_block + 4 * (int64_t)p, x + 2 * (int64_t)f->lower[p], &real, &imaginary);
        x[2 * i] = real;
        x[2 * i + 1] = imaginary;
    }
}

/* Row i of the solution from right-hand side `x` and the rows `v` after it. */
static inline void backward(const struct triangles *f, int64_t i, const lanes *x, const lanes *v, lanes *real,
                            lanes *imaginary) {
    lanes r = x[2 * i], j = x[2 * i + 1];
    const double *m = f->inverse + 4 * i;
    for (int32_t p = f->upper_start[i]; p < f->upper_start[i + 1]; p++)
        subtract(f->upper_block + 4 * (int64_t)p, v + 2 * (int64_t)f->upper[p], &r, &j);
    *real = m[0] * r + m[1] * j;
    *imaginary = m[2] * r + m[3] * j;
}

static void substitute(const struct triangles *f, int64_t n, lanes *x, lanes *v, lanes *error, lanes *total) {
    lanes most = {0}, sum = {0};
    forward(f, n, x);
    for (int64_t i = n - 1; i >= 0; i--) {
        lanes real, imaginary;
        backward(f, i, x, v, &real, &imaginary);
        lanes r = real - v[2 * i], j = imaginary - v[2 * i + 1], step = r * r + j * j;
        most = where(step > most, step, most);
        sum += step;
        v[2 * i] = real;
        v[2 * i + 1] = imaginary;
    }
    *error = most;
    *total = sum;
}

static void recover(const struct chord *c, const struct counts *n, const lanes *v, int64_t at, int width,
                    const struct output *out) {
    for (int64_t node = 0; node < n->node; node++) {
        lanes real = {0}, imaginary = {0};
        for (int32_t p = c->node_start[node]; p < c->node_start[node + 1]; p++) {
            const lanes *a = v + 2 * (int64_t)c->node_column[p];
            double g = c->node_value[2 * (int64_t)p], h = c->node_value[2 * (int64_t)p + 1];
            real += g * a[0] - h * a[1];
            imaginary += h * a[0] + g * a[1];
        }
        if (out->voltage) {
            double *to = out->voltage + 2 * (node * n->columns + at);
            for (int w = 0; w < width; w++) {
                to[2 * w] = real[w];
                to[2 * w + 1] = imaginary[w];
            }
        }
        if (out->magnitude) {
            double *to = out->magnitude + node * n->columns + at;
            for (int w = 0; w < width; w++) to[w] = sqrt(real[w] * real[w] + imaginary[w] * imaginary[w]);
        }
    }
}

/* Whether any case needs another iteration; takes down what was reached. */
static int waiting(lanes error, lanes total, lanes *before, double tolerance, int64_t at, int width, int count,
                   const struct output *out) {
    int result = 0;
    for (int w = 0; w < width; w++) {
        double length = sqrt(error[w]), slow = 1.0 - length / (*before)[w];
        (*before)[w] = length;
        out->converged[at + w] = 0;
        if (!isfinite(total[w])) continue;
        out->converged[at + w] = length < tolerance * (slow > LEAST ? slow : LEAST);
        result |= !out->converged[at + w];
        out->iterations[at + w] = count;
    }
    return result;
}

static void load(const struct chord *c, const struct counts *n, const double *power, int width, lanes *s) {
    for (int64_t k = 0; k < n->pair; k++) {
        const double *from = power + 2 * k * n->columns;
        lanes p = {0}, q = {0};
        for (int w = 0; w < width; w++) {
            p[w] = from[2 * w];
            q[w] = from[2 * w + 1];
        }
        s[2 * k] = p * c->scale[k];
        s[2 * k + 1] = q * c->scale[k];
    }
}

/* Cases `from` to `to`; 0 when done, 1 when there was no memory. */
int batch(const struct chord *c, const struct counts *n, const double *power, const int32_t *choice, int64_t from,
          int64_t to, double tolerance, int limit, const struct output *out) {
    size_t rows = 2 * (size_t)(n->row + 1);
    lanes *v;
    if (posix_memalign((void **)&v, sizeof(lanes), sizeof(lanes) * (2 * rows + 2 * (size_t)n->pair))) return 1;
    lanes *x = v + rows, *s = x + rows;
    memset(v, 0, sizeof(lanes) * 2 * rows);
    for (int64_t at = from; at < to; at += LANES) {
        int width = to - at < LANES ? (int)(to - at) : LANES;
        lanes before = every(INFINITY), error, total;
        load(c, n, power + 2 * at, width, s);
        for (int64_t i = 0; i < 2 * n->row; i++) v[i] = every(c->base[i]);
        for (int count = 1; count <= limit; count++) {
            inject(c, n, s, v, x);
            vary(c, n, choice + at, width, v, x);
            substitute(&c->factors, n->row, x, v, &error, &total);
            if (!waiting(error, total, &before, tolerance, at, width, count, out)) break;
        }
        recover(c, n, v, at, width, out);
    }
    free(v);
    return 0;
}

static void pack(const double *columns, int64_t n, int64_t stride, int width, lanes *x) {
    for (int64_t i = 0; i < n; i++) {
        lanes real = {0}, imaginary = {0};
        for (int w = 0; w < width; w++) {
            real[w] = columns[2 * (i * stride + w)];
            imaginary[w] = columns[2 * (i * stride + w) + 1];
        }
        x[2 * i] = real;
        x[2 * i + 1] = imaginary;
    }
}

static void unpack(const lanes *x, int64_t n, int64_t stride, int width, double *columns) {
    for (int64_t i = 0; i < n; i++)
        for (int w = 0; w < width; w++) {
            columns[2 * (i * stride + w)] = x[2 * i][w];
            columns[2 * (i * stride + w) + 1] = x[2 * i + 1][w];
        }
}

static void solve_one(const struct triangles *f, int64_t n, lanes *x) {
    forward(f, n, x);
    for (int64_t i = n - 1; i >= 0; i--) {
        lanes real, imaginary;
        backward(f, i, x, x, &real, &imaginary);
        x[2 * i] = real;
        x[2 * i + 1] = imaginary;
    }
}

static inline void subtract_transposed(const double *block, lanes real, lanes imaginary, lanes *out) {
    out[0] -= block[0] * real + block[2] * imaginary;
    out[1] -= block[1] * real + block[3] * imaginary;
}

static void solve_transposed(const struct triangles *f, int64_t n, lanes *x) {
    for (int64_t i = 0; i < n; i++) {
        const double *m = f->inverse + 4 * i;
        lanes real = m[0] * x[2 * i] + m[2] * x[2 * i + 1], imaginary = m[1] * x[2 * i] + m[3] * x[2 * i + 1];
        x[2 * i] = real;
        x[2 * i + 1] = imaginary;
        for (int32_t p = f->upper_start[i]; p < f->upper_start[i + 1]; p++)
            subtract_transposed(f->upper_block + 4 * (int64_t)p, real, imaginary, x + 2 * (int64_t)f->upper[p]);
    }
    for (int64_t i = n - 1; i >= 0; i--)
        for (int32_t p = f->lower_start[i]; p < f->lower_start[i + 1]; p++)
            subtract_transposed(f->lower_block + 4 * (int64_t)p, x[2 * i], x[2 * i + 1], x + 2 * (int64_t)f->lower[p]);
}

/* Columns `from` to `to` of right-hand sides, with n->row rows and n->columns columns, replaced by solutions. */
int solve_columns(const struct triangles *f, const struct counts *n, int64_t from, int64_t to, int transposed,
                  double *columns) {
    lanes *x;
    if (posix_memalign((void **)&x, sizeof(lanes), sizeof(lanes) * 2 * (size_t)(n->row + 1))) return 1;
    for (int64_t at = from; at < to; at += LANES) {
        int width = to - at < LANES ? (int)(to - at) : LANES;
        pack(columns + 2 * at, n->row, n->columns, width, x);
        (transposed ? solve_transposed : solve_one)(f, n->row, x);
        unpack(x, n->row, n->columns, width, columns + 2 * at);
    }
    free(x);
    return 0;
}
