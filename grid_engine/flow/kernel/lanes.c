/* Batches with a constant Jacobian, eight cases side by side: `lanes.py` and `columns.py` in C, to be changed together.
 *
 * Rows of work arrays are two vectors, real parts and imaginary parts of eight cases. Structures mirror the tuples of
 * `network.py`, each array as a pointer, followed by the counts that C cannot ask an array for.
 */
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define LANES 8
#define PATIENCE 8
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

struct tail {
    const int32_t *start, *column, *diagonal;
    const double *block;
    const int32_t *table;
    const double *change;
    const int32_t *slot_start, *slot;
};

struct chord {
    struct triangles factors;
    struct tail tail;
    const double *source, *base, *scale;
    const int32_t *first, *second;
    const double *weight, *law;
    const int32_t *kind;
    const double *slope;
    const int32_t *node_start, *node_column;
    const double *node_value;
};

struct counts {
    int64_t row, tail, entries, pair, choice, node, columns;
};

struct cases {
    const double *power;
    const int32_t *choice;
    const double *start;
    double tolerance;
    int64_t limit;
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

/* Blocks of the tail with every case's elements as chosen: four vectors per entry. */
static void set(const struct tail *t, const struct counts *n, const int32_t *choice, int width, lanes *block) {
    for (int64_t p = 0; p < 4 * n->entries; p++) block[p] = every(t->block[p]);
    for (int64_t i = 0; i < n->choice; i++) {
        int64_t places = t->slot_start[i + 1] - t->slot_start[i];
        for (int w = 0; w < width; w++) {
            const double *change = t->change + 2 * (t->table[i] + choice[i * n->columns + w] * places);
            for (const int32_t *slot = t->slot + t->slot_start[i]; slot < t->slot + t->slot_start[i + 1]; slot++) {
                lanes *entry = block + 4 * (int64_t)*slot;
                double g = *change++, h = *change++;
                entry[0][w] += g;
                entry[1][w] -= h;
                entry[2][w] += h;
                entry[3][w] += g;
            }
        }
    }
}

/* Replace the blocks by their factors, the diagonal ones by their inverses. */
static void factorise(const struct tail *t, const struct counts *n, int32_t *place, lanes *block) {
    for (int64_t i = 0; i < n->tail; i++) {
        for (int32_t p = t->start[i]; p < t->start[i + 1]; p++) place[t->column[p]] = p;
        for (int32_t p = t->start[i]; p < t->diagonal[i]; p++) {
            int32_t k = t->column[p];
            lanes *a = block + 4 * (int64_t)p;
            const lanes *d = block + 4 * (int64_t)t->diagonal[k];
            lanes a0 = a[0], a1 = a[1], a2 = a[2], a3 = a[3];
            a[0] = a0 * d[0] + a1 * d[2];
            a[1] = a0 * d[1] + a1 * d[3];
            a[2] = a2 * d[0] + a3 * d[2];
            a[3] = a2 * d[1] + a3 * d[3];
            for (int32_t q = t->diagonal[k] + 1; q < t->start[k + 1]; q++) {
                const lanes *b = block + 4 * (int64_t)q;
                lanes *to = block + 4 * (int64_t)place[t->column[q]];
                to[0] -= a[0] * b[0] + a[1] * b[2];
                to[1] -= a[0] * b[1] + a[1] * b[3];
                to[2] -= a[2] * b[0] + a[3] * b[2];
                to[3] -= a[2] * b[1] + a[3] * b[3];
            }
        }
        lanes *d = block + 4 * (int64_t)t->diagonal[i], d0 = d[0], d1 = d[1], d2 = d[2], d3 = d[3];
        lanes determinant = d0 * d3 - d1 * d2;
        d[0] = d3 / determinant;
        d[1] = -d1 / determinant;
        d[2] = -d2 / determinant;
        d[3] = d0 / determinant;
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

static inline void subtract_each(const lanes *block, const lanes *a, lanes *out) {
    out[0] -= block[0] * a[0] + block[1] * a[1];
    out[1] -= block[2] * a[0] + block[3] * a[1];
}

struct steps {
    lanes longest, total;
};

static inline void move(lanes real, lanes imaginary, lanes *v, struct steps *steps) {
    lanes r = real - v[0], i = imaginary - v[1], step = r * r + i * i;
    steps->longest = where(step > steps->longest, step, steps->longest);
    steps->total += step;
    v[0] = real;
    v[1] = imaginary;
}

static void substitute_tail(const struct tail *t, int64_t n, const lanes *block, lanes *x, lanes *v,
                            struct steps *steps) {
    for (int64_t i = 0; i < n; i++)
        for (int32_t p = t->start[i]; p < t->diagonal[i]; p++)
            subtract_each(block + 4 * (int64_t)p, x + 2 * (int64_t)t->column[p], x + 2 * i);
    for (int64_t i = n - 1; i >= 0; i--) {
        const lanes *d = block + 4 * (int64_t)t->diagonal[i];
        for (int32_t p = t->diagonal[i] + 1; p < t->start[i + 1]; p++)
            subtract_each(block + 4 * (int64_t)p, v + 2 * (int64_t)t->column[p], x + 2 * i);
        lanes real = x[2 * i], imaginary = x[2 * i + 1];
        move(d[0] * real + d[1] * imaginary, d[2] * real + d[3] * imaginary, v + 2 * i, steps);
    }
}

static struct steps substitute(const struct chord *c, const struct counts *n, const lanes *block, lanes *x, lanes *v) {
    struct steps steps = {{0}, {0}};
    int64_t first = n->row - n->tail;
    forward(&c->factors, n->row, x);
    substitute_tail(&c->tail, n->tail, block, x + 2 * first, v + 2 * first, &steps);
    for (int64_t i = first - 1; i >= 0; i--) {
        lanes real, imaginary;
        backward(&c->factors, i, x, v, &real, &imaginary);
        move(real, imaginary, v + 2 * i, &steps);
    }
    return steps;
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
static int waiting(const struct steps *steps, lanes *before, const struct cases *cases, int64_t at, int width, int count,
                   const struct output *out) {
    int result = 0;
    for (int w = 0; w < width; w++) {
        if (out->converged[at + w] && count > 1) continue;
        double length = sqrt(steps->longest[w]), rate = length / (*before)[w], slow = 1.0 - rate;
        int finite = isfinite(steps->total[w]);
        (*before)[w] = length;
        out->iterations[at + w] = count;
        out->converged[at + w] = finite && length < cases->tolerance * (slow > LEAST ? slow : LEAST);
        int hopeless = count >= PATIENCE && length * pow(rate, (double)(cases->limit - count)) > cases->tolerance;
        result |= finite && !out->converged[at + w] && !hopeless;
    }
    return result;
}

/* Rows of complex numbers as vectors; what is not there is left as it was. */
static void pack(const double *columns, int64_t n, int64_t stride, int width, lanes *x) {
    for (int64_t i = 0; i < n; i++)
        for (int w = 0; w < width; w++) {
            x[2 * i][w] = columns[2 * (i * stride + w)];
            x[2 * i + 1][w] = columns[2 * (i * stride + w) + 1];
        }
}

static void load(const struct chord *c, const struct counts *n, const double *power, int width, lanes *s) {
    memset(s, 0, sizeof(lanes) * 2 * (size_t)n->pair);
    pack(power, n->pair, n->columns, width, s);
    for (int64_t k = 0; k < n->pair; k++) {
        s[2 * k] *= c->scale[k];
        s[2 * k + 1] *= c->scale[k];
    }
}

/* Cases `from` to `to`; 0 when done, 1 when there was no memory. */
int batch(const struct chord *c, const struct counts *n, const struct cases *cases, int64_t from, int64_t to,
          const struct output *out) {
    size_t rows = 2 * (size_t)(n->row + 1), powers = 2 * (size_t)n->pair, blocks = 4 * (size_t)n->entries;
    size_t places = ((size_t)n->tail * sizeof(int32_t) + sizeof(lanes) - 1) / sizeof(lanes);
    lanes *v;
    if (posix_memalign((void **)&v, sizeof(lanes), sizeof(lanes) * (2 * rows + powers + blocks + places))) return 1;
    lanes *x = v + rows, *s = x + rows, *block = s + powers;
    int32_t *place = (int32_t *)(block + blocks);
    memset(v, 0, sizeof(lanes) * 2 * rows);
    for (int64_t at = from; at < to; at += LANES) {
        int width = to - at < LANES ? (int)(to - at) : LANES;
        lanes before = every(INFINITY);
        load(c, n, cases->power + 2 * at, width, s);
        set(&c->tail, n, cases->choice + at, width, block);
        factorise(&c->tail, n, place, block);
        for (int64_t i = 0; i < 2 * n->row; i++) v[i] = every(c->base[i]);
        if (cases->start) pack(cases->start + 2 * at, n->row, n->columns, width, v);
        for (int count = 1; count <= cases->limit; count++) {
            inject(c, n, s, v, x);
            struct steps steps = substitute(c, n, block, x, v);
            if (!waiting(&steps, &before, cases, at, width, count, out)) break;
        }
        recover(c, n, v, at, width, out);
    }
    free(v);
    return 0;
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
        memset(x, 0, sizeof(lanes) * 2 * (size_t)n->row);
        pack(columns + 2 * at, n->row, n->columns, width, x);
        (transposed ? solve_transposed : solve_one)(f, n->row, x);
        unpack(x, n->row, n->columns, width, columns + 2 * at);
    }
    free(x);
    return 0;
}
