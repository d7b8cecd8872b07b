/* An ordinary request by ASGI: begun by `begin`, noted and ended by the `send` of its exchange.

   It is what `begin` and PlainExchange in http/asgi.py do. An exchange here is a PlainExchange that has another `send`: whatever
   else it can do, and may become (`settle`), it has from there. Whether anything is out of the ordinary is found out before
   anything is changed; then PlainExchange's own `send` gets the message, or the middleware's usual way the request. */
#include "ordinary.h"

typedef struct {
    PyTypeObject *exchange; /* the class of exchanges; NULL before `prepare` */
    PyObject *interpreted;  /* PlainExchange.send */
    PyObject *key;          /* where an exchange lies in its scope */
    PyObject *type, *method_of, *route, *endpoint, *status, *more_body;
    Classes known;
    Py_ssize_t by_route;                                           /* of Method: `known` */
    Py_ssize_t receive, send, method, where, began, series;        /* of PlainExchange */
} State;

/* Return a value of an exact dict, borrowed; NULL where there is none, or with an exception. A dict may have keys whose __eq__ is
   Python code: what has to outlive the next look into one of the host's is held. */
#define GET(dict, key) PyDict_GetItemWithError(dict, key)

/* Return the series of a response that starts, a new reference, if it is known. */
static PyObject *
find_series(const State *state, PyObject *method, PyObject *scope, PyObject *message)
{
    PyObject *by_route = SLOT(method, state->by_route);
    if (by_route == NULL || !PyDict_CheckExact(by_route) || !PyDict_CheckExact(scope))
        return NULL;
    PyObject *route = GET(scope, state->route);
    if (route == NULL && !PyErr_Occurred())
        route = GET(scope, state->endpoint);
    if (PyErr_Occurred())
        return NULL;
    PyObject *key = route == NULL ? Py_NewRef(Py_None) : PyLong_FromVoidPtr(route); /* id() */
    if (key == NULL)
        return NULL;
    PyObject *by_status = GET(by_route, key), *series = NULL;
    Py_DECREF(key);
    if (by_status == NULL || !PyDict_CheckExact(by_status))
        return NULL;
    Py_INCREF(by_status);
    PyObject *status = GET(message, state->status);
    if (status != NULL) {
        Py_INCREF(status);
        series = GET(by_status, status);
        if (series != NULL && Py_IS_TYPE(series, state->known.series))
            Py_INCREF(series);
        else
            series = NULL;
        Py_DECREF(status);
    }
    Py_DECREF(by_status);
    return series;
}

/* Count a request whose answer is complete, one that began then, in this series; 0 where it is not ordinary. */
static int
count(const State *state, PyObject *method, PyObject *scope, PyObject *series, double began)
{
    PyObject *time = read_clock(&state->known, method);
    if (time == NULL)
        return 0;
    double now = PyFloat_AS_DOUBLE(time), seconds = now - began;
    Py_DECREF(time);
    PyObject *histogram = first_bucket(&state->known, series, seconds);
    if (histogram == NULL || !is_quiet(&state->known, series, now))
        return 0;
    Py_INCREF(histogram);
    /* Without its mark a request is no less countable: PlainExchange finds none, and goes the usual way. */
    int counted = PyDict_DelItem(scope, state->key) == 0 && count_first(&state->known, method, histogram, seconds);
    Py_DECREF(histogram);
    return counted;
}

static int
note_start(const State *state, PyObject *exchange, PyObject *method, PyObject *scope, PyObject *message)
{
    PyObject *series = find_series(state, method, scope, message);
    if (series == NULL)
        return 0;
    SET_SLOT(exchange, state->series, series);
    return 1;
}

static int
note_body(const State *state, PyObject *exchange, PyObject *method, PyObject *scope, PyObject *message)
{
    PyObject *more = GET(message, state->more_body);
    if (more == NULL ? PyErr_Occurred() != NULL : more != Py_False)
        return 0;
    PyObject *series = SLOT(exchange, state->series), *began = SLOT(exchange, state->began);
    if (series == NULL || !Py_IS_TYPE(series, state->known.series) || began == NULL || !PyFloat_CheckExact(began))
        return 0;
    Py_INCREF(series);
    int counted = count(state, method, scope, series, PyFloat_AS_DOUBLE(began));
    Py_DECREF(series);
    if (counted)
        SET_SLOT(exchange, state->began, Py_NewRef(Py_None));
    return counted;
}

/* Note what a message says; 0 where it is not ordinary. */
static int
note(const State *state, PyObject *exchange, PyObject *message)
{
    PyObject *method = SLOT(exchange, state->method), *scope = SLOT(exchange, state->where);
    if (method == NULL || !Py_IS_TYPE(method, state->known.method) || scope == NULL || !PyDict_CheckExact(scope)
        || !PyDict_CheckExact(message))
        return 0;
    PyObject *type = GET(message, state->type);
    if (type == NULL)
        return 0;
    int (*noting)(const State *, PyObject *, PyObject *, PyObject *, PyObject *) =
        IS_TEXT(type, "http.response.body") ? note_body : IS_TEXT(type, "http.response.start") ? note_start : NULL;
    if (noting == NULL)
        return 0;
    Py_INCREF(method);
    Py_INCREF(scope);
    int noted = noting(state, exchange, method, scope, message);
    Py_DECREF(scope);
    Py_DECREF(method);
    return noted;
}

static PyObject *
send_interpreted(const State *state, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *bound = PyMethod_New(state->interpreted, self);
    if (bound == NULL)
        return NULL;
    PyObject *sent = PyObject_Vectorcall(bound, args, (size_t)count, names);
    Py_DECREF(bound);
    return sent;
}

PyDoc_STRVAR(send_doc, "send($self, message)\n--\n\n"
                       "Hand a message to the server, noting what it says: as PlainExchange does, but compiled.");

static PyObject *
exchange_send(PyObject *self, PyTypeObject *defining, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    const State *state = PyType_GetModuleState(defining);
    if (state == NULL)
        return NULL;
    PyObject *send;
    /* It is of another class by now where it has settled. */
    if (count != 1 || names != NULL || !Py_IS_TYPE(self, defining) || (send = SLOT(self, state->send)) == NULL)
        return send_interpreted(state, self, args, count, names);
    if (!note(state, self, args[0]))
        return forgiven() ? send_interpreted(state, self, args, count, names) : NULL;
    Py_INCREF(send);
    PyObject *sent = PyObject_CallOneArg(send, args[0]);
    Py_DECREF(send);
    return sent;
}

static PyMethodDef exchange_methods[] = {
    {"send", (PyCFunction)(void (*)(void))exchange_send, METH_METHOD | METH_FASTCALL | METH_KEYWORDS, send_doc},
    {NULL, NULL, 0, NULL},
};

PyDoc_STRVAR(exchange_doc, "A PlainExchange whose `send` is compiled.");

static PyType_Slot exchange_slots[] = {
    {Py_tp_doc, (void *)exchange_doc},
    {Py_tp_methods, exchange_methods},
    {0, NULL},
};

/* Its size is PlainExchange's. */
static PyType_Spec exchange_spec = {
    .name = "runtime_exporter.http.compiled._asgi.CompiledExchange",
    .flags = Py_TPFLAGS_DEFAULT,
    .slots = exchange_slots,
};

/* Return a new exchange that lies in its scope and is counted as active; NULL where the request is not ordinary. */
static PyObject *
make_exchange(const State *state, PyObject *method, PyObject *scope, PyObject *receive, PyObject *send)
{
    PyObject *exchange = state->exchange->tp_alloc(state->exchange, 0);
    if (exchange == NULL)
        return NULL;
    SLOT(exchange, state->receive) = Py_NewRef(receive);
    SLOT(exchange, state->send) = Py_NewRef(send);
    SLOT(exchange, state->method) = Py_NewRef(method);
    SLOT(exchange, state->where) = Py_NewRef(scope);
    PyObject *began = read_clock(&state->known, method);
    SLOT(exchange, state->began) = began;
    if (began != NULL && PyDict_SetItem(scope, state->key, exchange) == 0) {
        if (raise_active(&state->known, method))
            return exchange;
        (void)PyDict_DelItem(scope, state->key);
    }
    Py_DECREF(exchange);
    return NULL;
}

PyDoc_STRVAR(begin_doc, "begin(methods, scope, receive, send)\n--\n\n"
                        "Begin a request and return its exchange, or None where it is not plain. `methods` has a Method by its name.");

static PyObject *
begin(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    const State *state = PyModule_GetState(module);
    if (count != 4)
        return PyErr_Format(PyExc_TypeError, "begin() takes 4 arguments, not %zd", count);
    PyObject *methods = args[0], *scope = args[1], *exchange = NULL;
    if (state->exchange != NULL && PyDict_CheckExact(methods) && PyDict_CheckExact(scope)) {
        PyObject *type = GET(scope, state->type);
        if (type != NULL && IS_TEXT(type, "http") && PyDict_Contains(scope, state->key) == 0) {
            PyObject *name = GET(scope, state->method_of);
            PyObject *method = name != NULL && PyUnicode_CheckExact(name) ? GET(methods, name) : NULL;
            if (method != NULL && Py_IS_TYPE(method, state->known.method)) {
                Py_INCREF(method);
                exchange = make_exchange(state, method, scope, args[2], args[3]);
                Py_DECREF(method);
            }
        }
    }
    if (exchange == NULL && forgiven())
        Py_RETURN_NONE;
    return exchange;
}

PyDoc_STRVAR(prepare_doc, "prepare(plain, method, series, histogram, key)\n--\n\n"
                          "Learn the classes that `begin` has to do with, and return that of its exchanges.\n\n"
                          "They are PlainExchange, Method, Series and Histogram; `key` is where an exchange lies in a scope. "
                          "Raises TypeError or AttributeError where one is not as it is known here.");

static PyObject *
prepare(PyObject *module, PyObject *args)
{
    State *state = PyModule_GetState(module);
    PyObject *plain, *method, *series, *histogram, *key;
    Py_CLEAR(state->exchange);
    if (!PyArg_ParseTuple(args, "O!OOOU:prepare", &PyType_Type, &plain, &method, &series, &histogram, &key))
        return NULL;
    PyTypeObject *of = (PyTypeObject *)plain;
    if (!learn_classes(&state->known, method, series, histogram) || !learn_slot(&state->by_route, state->known.method, "known")
        || !learn_slot(&state->receive, of, "server_receive") || !learn_slot(&state->send, of, "server_send")
        || !learn_slot(&state->method, of, "method") || !learn_slot(&state->where, of, "where")
        || !learn_slot(&state->began, of, "began") || !learn_slot(&state->series, of, "series"))
        return NULL;
    Py_XSETREF(state->interpreted, PyObject_GetAttrString(plain, "send"));
    if (state->interpreted == NULL)
        return NULL;
    Py_XSETREF(state->key, Py_NewRef(key));
    PyObject *bases = PyTuple_Pack(1, plain);
    if (bases == NULL)
        return NULL;
    state->exchange = (PyTypeObject *)PyType_FromModuleAndSpec(module, &exchange_spec, bases);
    Py_DECREF(bases);
    return Py_XNewRef((PyObject *)state->exchange);
}

static PyMethodDef module_methods[] = {
    {"begin", (PyCFunction)(void (*)(void))begin, METH_FASTCALL, begin_doc},
    {"prepare", prepare, METH_VARARGS, prepare_doc},
    {NULL, NULL, 0, NULL},
};

static int
module_exec(PyObject *module)
{
    State *state = PyModule_GetState(module);
    return (state->type = PyUnicode_InternFromString("type")) != NULL
                   && (state->method_of = PyUnicode_InternFromString("method")) != NULL
                   && (state->route = PyUnicode_InternFromString("route")) != NULL
                   && (state->endpoint = PyUnicode_InternFromString("endpoint")) != NULL
                   && (state->status = PyUnicode_InternFromString("status")) != NULL
                   && (state->more_body = PyUnicode_InternFromString("more_body")) != NULL
               ? 0
               : -1;
}

static int
module_traverse(PyObject *module, visitproc visit, void *arg)
{
    const State *state = PyModule_GetState(module);
    Py_VISIT(state->exchange);
    Py_VISIT(state->interpreted);
    return visit_classes(&state->known, visit, arg);
}

static int
module_clear(PyObject *module)
{
    State *state = PyModule_GetState(module);
    Py_CLEAR(state->exchange);
    Py_CLEAR(state->interpreted);
    Py_CLEAR(state->key);
    Py_CLEAR(state->type);
    Py_CLEAR(state->method_of);
    Py_CLEAR(state->route);
    Py_CLEAR(state->endpoint);
    Py_CLEAR(state->status);
    Py_CLEAR(state->more_body);
    clear_classes(&state->known);
    return 0;
}

static void
module_free(void *module)
{
    (void)module_clear((PyObject *)module);
}

static PyModuleDef_Slot module_slots[] = {
    {Py_mod_exec, (void *)module_exec},
#ifdef Py_mod_multiple_interpreters
    {Py_mod_multiple_interpreters, Py_MOD_PER_INTERPRETER_GIL_SUPPORTED},
#endif
    {0, NULL},
};

static PyModuleDef module_definition = {
    PyModuleDef_HEAD_INIT,
    .m_name = "runtime_exporter.http.compiled._asgi",
    .m_doc = "Ordinary requests by ASGI, compiled: see runtime_exporter.http.asgi.",
    .m_size = sizeof(State),
    .m_methods = module_methods,
    .m_slots = module_slots,
    .m_traverse = module_traverse,
    .m_clear = module_clear,
    .m_free = module_free,
};

PyMODINIT_FUNC
PyInit__asgi(void)
{
    return PyModuleDef_Init(&module_definition);
}
