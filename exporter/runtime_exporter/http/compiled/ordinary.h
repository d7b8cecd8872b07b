/* What the compiled ways of ASGI and WSGI share: how an ordinary request is counted.

   The classes are Python's own (http/series.py, metrics/histogram.py, metrics/cells.py); what they keep in slots is read where it
   lies. Nothing is taken on trust: whatever has another type, shape or place than it should is "not ordinary", which the caller
   leaves to the interpreted way. So functions here return NULL or 0 for that, and what they raised then is forgotten (`forgiven`).

   No lock is taken: from the first store of a count to the last one no Python code runs, so the GIL stays with this thread. */
#ifndef RUNTIME_EXPORTER_ORDINARY_H
#define RUNTIME_EXPORTER_ORDINARY_H

#ifndef PY_SSIZE_T_CLEAN
#define PY_SSIZE_T_CLEAN
#endif
#include <Python.h>
#include <structmember.h>
#include <stdint.h>
#include <string.h>

#ifdef Py_GIL_DISABLED
#error "This counts without locks, which takes a GIL"
#endif

/* What an object keeps in a slot, borrowed; NULL where it has not got any yet. The object must be of the slot's class. */
#define SLOT(object, offset) (*(PyObject **)((char *)(object) + (offset)))

/* Put a value into a slot, taking over the reference to it. */
#define SET_SLOT(object, offset, value)                                                                                        \
    do {                                                                                                                       \
        PyObject *old_value = SLOT(object, offset);                                                                            \
        SLOT(object, offset) = (value);                                                                                        \
        Py_XDECREF(old_value);                                                                                                 \
    } while (0)

/* The classes, and the slots of theirs that a request needs, in bytes from the beginning of an object. */
typedef struct {
    PyTypeObject *method, *series, *histogram;
    Py_ssize_t clock, active, active_at;              /* of http.series.Method: `clock`, `floats`, `at` */
    Py_ssize_t counted_in, quiet;                     /* of http.series.Series: `histogram`, `quiet` */
    Py_ssize_t first, sums, counts, valid, next, at;  /* of metrics.Histogram: `_first`, `_floats`, `_ints`, `_from`, `_to`, `_at` */
} Classes;

/* Learn where a slot of a class lies; 0 with an exception where `name` is none: an AttributeError, or a TypeError. */
static inline int
learn_slot(Py_ssize_t *offset, PyTypeObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString((PyObject *)type, name);
    if (found == NULL)
        return 0;
    int learnt = 0;
    if (Py_IS_TYPE(found, &PyMemberDescr_Type) && PyType_IsSubtype(type, PyDescr_TYPE(found))) {
        const PyMemberDef *member = ((PyMemberDescrObject *)found)->d_member;
        Py_ssize_t last = type->tp_basicsize - (Py_ssize_t)sizeof(PyObject *);
        learnt = member->type == T_OBJECT_EX && member->flags == 0 && member->offset > 0 && member->offset <= last;
        if (learnt)
            *offset = member->offset;
    }
    Py_DECREF(found);
    if (!learnt)
        PyErr_Format(PyExc_TypeError, "%s.%s is not a slot", type->tp_name, name);
    return learnt;
}

/* Learn the classes, and hold them; 0 with an exception where one is not as it is known here. */
static inline int
learn_classes(Classes *known, PyObject *method, PyObject *series, PyObject *histogram)
{
    if (!PyType_Check(method) || !PyType_Check(series) || !PyType_Check(histogram)) {
        PyErr_SetString(PyExc_TypeError, "Method, Series and Histogram have to be classes");
        return 0;
    }
    Py_INCREF(method);
    Py_XSETREF(known->method, (PyTypeObject *)method);
    Py_INCREF(series);
    Py_XSETREF(known->series, (PyTypeObject *)series);
    Py_INCREF(histogram);
    Py_XSETREF(known->histogram, (PyTypeObject *)histogram);
    return learn_slot(&known->clock, known->method, "clock") && learn_slot(&known->active, known->method, "floats")
           && learn_slot(&known->active_at, known->method, "at") && learn_slot(&known->counted_in, known->series, "histogram")
           && learn_slot(&known->quiet, known->series, "quiet") && learn_slot(&known->first, known->histogram, "_first")
           && learn_slot(&known->sums, known->histogram, "_floats") && learn_slot(&known->counts, known->histogram, "_ints")
           && learn_slot(&known->valid, known->histogram, "_from") && learn_slot(&known->next, known->histogram, "_to")
           && learn_slot(&known->at, known->histogram, "_at");
}

static inline int
visit_classes(const Classes *known, visitproc visit, void *arg)
{
    Py_VISIT(known->method);
    Py_VISIT(known->series);
    Py_VISIT(known->histogram);
    return 0;
}

static inline void
clear_classes(Classes *known)
{
    Py_CLEAR(known->method);
    Py_CLEAR(known->series);
    Py_CLEAR(known->histogram);
}

/* Forget what was raised, if anything was, and return 1; 0 where it is none of ours to forget, as a KeyboardInterrupt. */
static inline int
forgiven(void)
{
    if (PyErr_Occurred() != NULL) {
        if (!PyErr_ExceptionMatches(PyExc_Exception))
            return 0;
        PyErr_Clear();
    }
    return 1;
}

/* Return whether an object is this text of ASCII. Text of another kind (a subclass, say) is none. */
static inline int
is_text(PyObject *object, const char *text, Py_ssize_t size)
{
    return PyUnicode_CheckExact(object) && PyUnicode_IS_COMPACT_ASCII(object) && PyUnicode_GET_LENGTH(object) == size
           && memcmp(PyUnicode_1BYTE_DATA(object), text, (size_t)size) == 0;
}

#define IS_TEXT(object, literal) is_text(object, literal, (Py_ssize_t)sizeof(literal) - 1)

/* Return what a Method's clock says, a new reference to a float. It may be anybody's: Python code runs here. */
static inline PyObject *
read_clock(const Classes *known, PyObject *method)
{
    PyObject *clock = SLOT(method, known->clock);
    if (clock == NULL)
        return NULL;
    Py_INCREF(clock);
    PyObject *now = PyObject_CallNoArgs(clock);
    Py_DECREF(clock);
    if (now != NULL && !PyFloat_CheckExact(now))
        Py_CLEAR(now);
    return now;
}

/* Return the cell that is at `at` in a view of cells, as their `format` says: "d" for floats, "q" for integers. Raises nothing.

   A view that was released shows memory that may be gone; none is in the exporter, but anybody could. */
static inline volatile void *
cell(PyObject *view, PyObject *at, char format)
{
    if (view == NULL || at == NULL || !PyMemoryView_Check(view) || !PyLong_CheckExact(at)
        || (((PyMemoryViewObject *)view)->flags & _Py_MEMORYVIEW_RELEASED))
        return NULL;
    const Py_buffer *cells = PyMemoryView_GET_BUFFER(view);
    if (cells->ndim != 1 || cells->itemsize != 8 || cells->readonly || cells->suboffsets != NULL || cells->strides[0] != 8
        || cells->format == NULL || cells->format[0] != format || cells->format[1] != '\0')
        return NULL;
    Py_ssize_t index = PyLong_AsSsize_t(at);
    if (index < 0 || index >= cells->shape[0]) {
        PyErr_Clear();
        return NULL;
    }
    return (char *)cells->buf + 8 * index;
}

/* Count one more request of this method as active; 0 where it cannot be. */
static inline int
raise_active(const Classes *known, PyObject *method)
{
    volatile double *active = cell(SLOT(method, known->active), SLOT(method, known->active_at), 'd');
    if (active == NULL)
        return 0;
    *active += 1.0;
    return 1;
}

/* Return the histogram of a series, borrowed, if a request that took so long falls into its first bucket; else NULL. */
static inline PyObject *
first_bucket(const Classes *known, PyObject *series, double seconds)
{
    PyObject *histogram = SLOT(series, known->counted_in);
    if (histogram == NULL || !Py_IS_TYPE(histogram, known->histogram))
        return NULL;
    PyObject *first = SLOT(histogram, known->first);
    if (first == NULL || !PyFloat_CheckExact(first) || seconds > PyFloat_AS_DOUBLE(first))
        return NULL;
    return histogram;
}

/* Return whether the first bucket of a series wants no exemplar at this time. */
static inline int
is_quiet(const Classes *known, PyObject *series, double now)
{
    PyObject *quiet = SLOT(series, known->quiet);
    return quiet != NULL && PyFloat_CheckExact(quiet) && now < PyFloat_AS_DOUBLE(quiet);
}

/* Let other processes see what was stored before this before what is stored after it. On x86 that takes no instruction; on Windows
   nobody reads the cells of another process. */
#ifdef __GNUC__
#define IN_ORDER() __atomic_thread_fence(__ATOMIC_RELEASE)
#else
#define IN_ORDER() ((void)0)
#endif

/* Count an observation in the first bucket, as Histogram.tally() does, and one active request less: both, or neither and 0.

   The count comes after the sum, since another process may read the cells at any moment, and this one be killed (see
   metrics/observed.py): `volatile` keeps the compiler from having it otherwise, which is all that a kill can see. `IN_ORDER` keeps
   a processor from it that shows its stores to others in another order; where the interpreter counts, hundreds of instructions lie
   between the two, and a reader reads twice. */
static inline int
count_first(const Classes *known, PyObject *method, PyObject *histogram, double seconds)
{
    PyObject *sums = SLOT(histogram, known->sums), *next = SLOT(histogram, known->next), *valid = SLOT(histogram, known->valid);
    volatile double *active = cell(SLOT(method, known->active), SLOT(method, known->active_at), 'd');
    volatile double *new_sum = cell(sums, next, 'd'), *old_sum = cell(sums, valid, 'd');
    volatile int64_t *count = cell(SLOT(histogram, known->counts), SLOT(histogram, known->at), 'q');
    if (active == NULL || new_sum == NULL || old_sum == NULL || count == NULL)
        return 0;
    *active -= 1.0;
    *new_sum = *old_sum + seconds;
    IN_ORDER();
    *count += 1;
    SLOT(histogram, known->valid) = next;
    SLOT(histogram, known->next) = valid;
    return 1;
}

#endif
